import { SERVICES } from '@waybill/contracts'
import { postgrestBinary } from '@waybill/dev-env'
import { describe, expect, inject, it } from 'vitest'
import { ask, newUser } from '../src/user.ts'

const platform = inject('platform')
const NOTES = '/data/v1/supabase/collections/notes/records'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** What `client` gets to call `audience` with, for whom `subject` was made. */
async function exchanged(client: 'gateway' | 'data_store', subject: string, audience: string) {
  const credentials = `${client}:${encodeURIComponent(platform.serviceSecrets[client])}`
  const form = {
    ...{ grant_type: EXCHANGE, audience },
    ...{ subject_token: subject, subject_token_type: ACCESS_TOKEN },
  }
  const { status, body } = await ask(`${platform.services['auth-service']}/oauth/token`, {
    method: 'POST',
    headers: {
      Authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(form).toString(),
  })
  expect(status).toBe(200)
  return String(body.access_token)
}

describe.skipIf(postgrestBinary() === undefined)('records in Supabase, through the whole platform', () => {
  it('are kept by the token that auth-service makes for it, and are their user’s alone', async () => {
    const [ann, ben] = [await newUser(platform.services.gateway), await newUser(platform.services.gateway)]
    const made = await ann.ask(NOTES, { json: { id: 'a', data: { title: 'x' } } })
    expect([made.status, made.body.owner]).toEqual([201, ann.id])
    expect((await ben.ask(`${NOTES}/a`)).status).toBe(404)
    expect((await ben.ask(NOTES)).body.items).toEqual([])
    const changed = await ann.ask(`${NOTES}/a`, { method: 'PATCH', json: { data: { done: true } } })
    expect(changed.body).toMatchObject({ version: 2, data: { title: 'x', done: true } })
  })

  it('the token for Supabase opens no service of the platform', async () => {
    const { token } = await newUser(platform.services.gateway)
    const atDataStore = await exchanged('gateway', token, 'data_store')
    const outside = await exchanged('data_store', atDataStore, 'supabase')
    const paths = {
      gateway: '/data/v1/backends',
      'auth-service': '/auth/verify',
      'llm-proxy': '/v1/models',
      docling: '/v1/convert/file',
      data_store: '/v1/backends',
      'work-platform': '/api/projects',
      'substrate-api': '/api/baskets',
    } satisfies Record<(typeof SERVICES)[number], string>
    for (const service of SERVICES) {
      const url = platform.services[service] + paths[service]
      const headers = { Authorization: `Bearer ${outside}` }
      const statuses = [
        (await ask(url, { headers })).status,
        (await ask(url, { method: 'POST', headers, json: {} })).status,
      ]
      expect([service, statuses.includes(401), statuses.some((status) => status < 400)]).toEqual([
        service,
        true,
        false,
      ])
    }
    const own = { Authorization: `Bearer ${atDataStore}` }
    expect((await ask(`${platform.services.data_store}/v1/backends`, { headers: own })).status).toBe(200)
  })
})
