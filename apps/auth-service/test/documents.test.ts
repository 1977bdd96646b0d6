import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ AUTH_SERVICE_PUBLIC_URL: 'https://auth.example.test/' })
})
afterAll(() => setting.close())

it('the metadata (RFC 8414) names what is there', async () => {
  const { body, headers } = await setting.http.get('/.well-known/oauth-authorization-server').expect(200)
  expect(headers['cache-control']).toContain('public')
  expect(body).toMatchObject({
    issuer: 'https://waybill.local',
    token_endpoint: 'https://auth.example.test/oauth/token',
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'tls_client_auth'],
    tls_client_certificate_bound_access_tokens: true,
  })
  const paths = setting.service.routes.map(({ path }) => path)
  for (const [name, value] of Object.entries(body as Record<string, unknown>)) {
    if (!/_endpoint$|_uri$/.test(name)) continue
    expect(paths).toContain(String(value).replace('https://auth.example.test', ''))
  }
})

interface Operation {
  security: Record<string, string[]>[]
  requestBody?: {
    content: Record<string, { schema: { properties: Record<string, unknown>; required: string[] } }>
  }
}

describe('the OpenAPI document', () => {
  const operation = async (path: string, method: string): Promise<Operation> => {
    const { body } = await setting.http.get('/openapi.json').expect(200)
    return (body as { paths: Record<string, Record<string, Operation>> }).paths[path]![method]!
  }

  it('describes the forms of the OAuth endpoints, and how clients authenticate there', async () => {
    const client = [{ basic: [] }, { mutualTLS: [] }]
    for (const [path, required, more] of [
      ['/oauth/token', ['grant_type', 'audience'], ['subject_token', 'scope', 'client_id', 'client_secret']],
      ['/oauth/introspect', ['token'], ['token_type_hint', 'client_id']],
      ['/oauth/revoke', ['token'], ['token_type_hint', 'client_id']],
    ] as const) {
      const { security, requestBody } = await operation(path, 'post')
      expect(security).toEqual(client)
      const { schema } = requestBody!.content['application/x-www-form-urlencoded']!
      expect(schema.required).toEqual(required)
      expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining([...required, ...more]))
    }
    expect((await operation('/oauth/revocations', 'get')).security).toEqual(client)
  })

  it('says what credentials a route takes', async () => {
    expect((await operation('/auth/verify', 'get')).security).toEqual([{ bearer: [] }, { apiKey: [] }])
    expect((await operation('/auth/admin/keys/rotate', 'post')).security).toEqual([
      { bearer: ['auth.admin'] },
    ])
    expect((await operation('/.well-known/jwks.json', 'get')).security).toEqual([])
  })

  it('defines every scheme that it names', async () => {
    const { body } = await setting.http.get('/openapi.json').expect(200)
    expect(body.components.securitySchemes).toMatchObject({
      bearer: { type: 'http', scheme: 'bearer' },
      apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      mutualTLS: { type: 'mutualTLS' },
      basic: { type: 'http', scheme: 'basic' },
    })
  })
})
