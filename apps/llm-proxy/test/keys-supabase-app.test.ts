import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { delegate, DELEGATION, signAccessToken } from '@waybill/auth'
import { postgrestBinary, startTestSupabase } from '@waybill/dev-env'
import type { TestSupabase } from '@waybill/dev-env'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const CANARY = 'canary-in-supabase-0001'

type Subject = Parameters<typeof delegate>[0]['subject']

async function listening(handler: Parameters<typeof createServer>[1] & {}): Promise<[Server, string]> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return [server, `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`]
}

describe.skipIf(postgrestBinary() === undefined)('KEY_STORE=supabase, the whole service', () => {
  let supabase: TestSupabase
  let setting: Setting
  let servers: Server[]
  const used: (string | undefined)[] = []
  /** The claims of each token that was handed out. */
  const handedOut: object[] = []

  beforeAll(async () => {
    supabase = await startTestSupabase({ collections: [] })
    const [authService, authUrl] = await listening((req, res) => {
      void text(req).then(async (body) => {
        const form = new URLSearchParams(body)
        const [, payload = ''] = (form.get('subject_token') ?? '').split('.')
        // Made by the setting's own issuer a moment ago.
        const subject = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Subject
        const grant = delegate(
          { subject, actor: 'llm-proxy', audience: form.get('audience') ?? '' },
          {
            ...{ policy: DELEGATION, issuer: subject.iss, platformAudience: 'waybill', lifetimeSeconds: 60 },
            ...{ maxDepth: 8, nowSeconds: Date.now() / 1000 },
          },
        )
        handedOut.push(grant.claims)
        const { token } = await signAccessToken(supabase.signingKey, grant)
        res.writeHead(200, { 'content-type': 'application/json' })
        res.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 60, scope: '' }))
      })
    })
    const [vendor, vendorUrl] = await listening((req, res) => {
      used.push(req.headers.authorization)
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    servers = [authService, vendor]
    setting = await startSetting({
      ...{ KEY_STORE: 'supabase', SUPABASE_URL: supabase.url, SUPABASE_REST_PATH: '/' },
      ...{ SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey, AUTH_SERVICE_URL: authUrl },
      PROVIDER_URLS: `openai=${vendorUrl}`,
    })
  }, 30_000)
  afterAll(async () => {
    await setting.close()
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
    await supabase.close()
  })

  const call = async (user: string, method: string, path: string, body?: object) => {
    const answer = await fetch(setting.url + path, {
      method,
      headers: { Authorization: `Bearer ${await setting.tokenOf(user)}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const received = await answer.text()
    return {
      status: answer.status,
      body: (received === '' ? {} : JSON.parse(received)) as Record<string, unknown>,
    }
  }

  test('a key is added, used, kept from others and deleted, by tokens that allow nothing else', async () => {
    const { status, body: key } = await call('alice', 'POST', '/keys', { provider: 'openai', key: CANARY })
    expect([status, key]).toMatchObject([201, { last_four: '0001', default: true }])
    const chat = { model: 'gpt-5', messages: [] }
    expect((await call('alice', 'POST', '/openai/v1/chat/completions', chat)).status).toBe(200)
    expect(used).toEqual([`Bearer ${CANARY}`])
    expect((await call('bob', 'GET', '/keys')).body).toEqual({ keys: [] })
    expect((await call('bob', 'POST', '/openai/v1/chat/completions', chat)).status).toBe(403)
    expect((await call('bob', 'DELETE', `/keys/${String(key.id)}`)).status).toBe(404)
    expect((await call('alice', 'GET', '/keys')).body).toEqual({ keys: [key] })
    for (const claims of handedOut)
      expect(claims).toMatchObject({
        aud: 'supabase',
        scope: '',
        client_id: 'llm-proxy',
        role: 'authenticated',
      })

    const admin = new pg.Client({ connectionString: supabase.adminUrl })
    await admin.connect()
    const { rows } = await admin.query<{ row: string }>('select t::text as row from provider_keys as t')
    await admin.end()
    expect(rows).toHaveLength(1)
    const seen = JSON.stringify([rows, setting.logged()])
    expect(seen).not.toContain('canary')
    expect(seen).not.toContain(Buffer.from(CANARY).toString('hex'))
    expect((await call('alice', 'DELETE', `/keys/${String(key.id)}`)).status).toBe(204)
    expect((await call('alice', 'POST', '/openai/v1/chat/completions', chat)).status).toBe(403)
  })

  test('while Supabase is away, calls and keys are 503, and the service says that it is there', async () => {
    await supabase.kill()
    expect((await call('carol', 'GET', '/keys')).status).toBe(503)
    expect((await call('carol', 'POST', '/openai/v1/chat/completions', {})).status).toBe(503)
    expect((await fetch(`${setting.url}/readyz`)).status).toBe(200)
    await supabase.restart()
    expect((await call('carol', 'GET', '/keys')).body).toEqual({ keys: [] })
  })
})

test('KEY_STORE=supabase without a project does not start, and says what is missing', async () => {
  await expect(startSetting({ KEY_STORE: 'supabase' })).rejects.toThrow(
    'SUPABASE_URL: is required with KEY_STORE=supabase',
  )
})
