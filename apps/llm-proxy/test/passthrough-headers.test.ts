import { get } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deploymentName } from '../src/relay/loop.ts'
import { json } from './fixtures/scripted-upstream.ts'
import { CALLERS_TOKEN, PROVIDER_KEY, errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

/** What a client may send, and what must never come to a provider. */
const SECRET = 'wb_never-to-be-seen-upstream'
const UNWANTED = {
  Cookie: `session=${SECRET}`,
  'Proxy-Authorization': `Basic ${SECRET}`,
  'X-User-ID': SECRET,
  'X-Tenant-ID': SECRET,
  'X-Service-Name': SECRET,
  'X-Forwarded-For': SECRET,
  Forwarded: SECRET,
  'X-Request-ID': 'never-to-be-seen-upstream',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: SECRET,
  baggage: SECRET,
  'X-Provider-Key': 'second',
  'X-Stainless-Unheard-Of': SECRET,
  'X-Waybill-Anything': SECRET,
  Origin: SECRET,
  Referer: SECRET,
}
const WANTED = {
  accept: 'application/json',
  'user-agent': 'OpenAI/JS 7.57.0',
  'idempotency-key': 'once',
  'x-stainless-lang': 'js',
  'x-stainless-retry-count': '1',
}

describe('a request', () => {
  const sent = async (path: string, headers: Record<string, string>) => {
    setting.upstream.script = json('{}')
    await setting.send(path, '{"model":"m","messages":[]}', { headers })
    return setting.upstream.seen.at(-1)!
  }

  it('takes along what its protocol needs, and nothing else', async () => {
    const special = { 'openai-organization': 'org-1', 'openai-project': 'p-1', 'openai-beta': 'b' }
    const other = { 'anthropic-version': '2026-10-21', 'anthropic-beta': 'tools' }
    const openai = await sent('/openai/v1/chat/completions', { ...WANTED, ...special, ...other, ...UNWANTED })
    const fixed = {
      via: '1.1 waybill-llm-proxy',
      'accept-encoding': 'identity',
      'content-type': 'application/json',
      'content-length': '27',
      connection: 'keep-alive',
      host: new URL(setting.upstream.url).host,
    }
    expect(openai.headers).toEqual({
      ...fixed,
      ...WANTED,
      ...special,
      authorization: `Bearer ${PROVIDER_KEY}`,
    })
    const anthropic = await sent('/anthropic/v1/messages', { ...WANTED, ...special, ...other, ...UNWANTED })
    expect(anthropic.headers).toEqual({ ...fixed, ...WANTED, ...other, 'x-api-key': PROVIDER_KEY })
    const gemini = await sent('/gemini/v1beta/models/g:generateContent', UNWANTED)
    expect(gemini.headers['x-goog-api-key']).toBe(PROVIDER_KEY)
    const arrived = JSON.stringify(setting.upstream.seen.map(({ rawHeaders, url }) => [rawHeaders, url]))
    for (const secret of [SECRET, CALLERS_TOKEN, 'never-to-be-seen']) expect(arrived).not.toContain(secret)
  })

  it('with X-Provider-Key uses that key of the user', async () => {
    await sent('/openai/v1/chat/completions', { 'X-Provider-Key': 'second' })
    expect((await setting.metered.at(-1)!.ended).keyId).toBe('openai-second')
  })

  it('does not take along what Connection names (RFC 9110 section 7.6.1)', async () => {
    const { hostname, port } = new URL(setting.url)
    setting.upstream.script = json('{}')
    await new Promise((resolve, reject) => {
      const headers = {
        Authorization: `Bearer ${CALLERS_TOKEN}`,
        Connection: 'keep-alive, X-Stainless-Lang',
        'X-Stainless-Lang': 'js',
        'X-Stainless-OS': 'Linux',
      }
      get({ hostname, port, path: '/openai/v1/models', headers }, (res) =>
        res.resume().once('end', resolve),
      ).once('error', reject)
    })
    const { headers } = setting.upstream.seen.at(-1)!
    expect(headers['x-stainless-os']).toBe('Linux')
    expect(headers).not.toHaveProperty('x-stainless-lang')
  })
})

describe('an answer', () => {
  it('comes back with what its reader needs, and nothing of the provider’s house', async () => {
    const wanted = {
      'content-disposition': 'attachment',
      'openai-processing-ms': '12',
      'openai-version': '2020-10-01',
      'request-id': 'req_anthropic',
      'x-ratelimit-remaining-requests': '9',
      'anthropic-ratelimit-unified-status': 'allowed',
      'ratelimit-remaining': '8',
      'ratelimitbysize-remaining': '7',
      'x-ratelimitbysize-remaining-minute': '6',
    }
    const unwanted = {
      'set-cookie': '__cf_bm=1',
      'openai-organization': 'org-secret',
      'anthropic-organization-id': 'org-secret',
      'strict-transport-security': 'max-age=1',
      server: 'cloudflare',
      'cf-ray': '1',
      'alt-svc': 'h3',
      'x-custom': '1',
      'ratelimit-policy': '"provider";q=1;w=9',
      ratelimit: '"provider";r=1;t=9',
      'access-control-allow-origin': '*',
      connection: 'keep-alive, retry-after',
      'retry-after': '5',
      'proxy-authenticate': 'Basic',
      'www-authenticate': 'Basic',
    }
    const headers = { ...wanted, ...unwanted, 'x-request-id': 'req_openai' }
    setting.upstream.script = json('{}', { headers })
    const answer = await setting.send('/openai/v1/chat/completions', '{"model":"m"}', {
      headers: { 'X-Request-ID': 'ours-1' },
    })
    expect(Object.fromEntries(answer.headers)).toEqual({
      ...wanted,
      // A page among a provider's files must not run here.
      'content-security-policy': "sandbox; default-src 'none'",
      'content-type': 'application/json',
      'content-length': '2',
      'cache-control': 'private, no-store',
      'x-provider-request-id': 'req_openai',
      'x-request-id': 'ours-1',
      'x-waybill-provider': 'openai',
      'x-waybill-ratelimit-remaining-requests': '7',
      'x-content-type-options': 'nosniff',
      connection: 'keep-alive',
      'keep-alive': expect.any(String),
      date: expect.any(String),
    })
  })
})

describe('a request that comes back', () => {
  it.each(['1.1 waybill-llm-proxy', '1.0 fred, 1.1 Waybill-LLM-Proxy (x)'])(
    'is 508: Via: %s',
    async (via) => {
      const before = setting.upstream.seen.length
      const answer = await setting.send('/openai/v1/chat/completions', '{"model":"m"}', { headers: { via } })
      expect(answer.status).toBe(508)
      expect((await errorOf(answer)).code).toBe('loop_detected')
      expect(setting.upstream.seen).toHaveLength(before)
    },
  )

  it('is told by this deployment’s name alone: another one may stand in front, and is told on', async () => {
    setting.upstream.script = json('{}')
    const via = '1.1 gate.internal, 1.1 waybill-other'
    const answer = await setting.send('/openai/v1/chat/completions', '{"model":"m"}', { headers: { via } })
    expect(answer.status).toBe(200)
    expect(setting.upstream.seen.at(-1)!.headers.via).toBe('1.1 waybill-other, 1.1 waybill-llm-proxy')
  })

  it('belongs to the deployment that is named, or else to its issuer', () => {
    const nameOf = (VIA_NAME: string, AUTH_ISSUER: string) => deploymentName({ VIA_NAME, AUTH_ISSUER })
    expect(nameOf('berlin', 'https://a')).toBe('berlin')
    expect(nameOf('', 'https://a')).toBe(nameOf('', 'https://a'))
    expect(nameOf('', 'https://a')).not.toBe(nameOf('', 'https://b'))
  })
})

it('below the path where Gemini speaks OpenAI’s protocol, errors are in that shape too', async () => {
  setting.upstream.script = (res) => void res.destroy()
  const openai = await setting.send('/gemini/v1beta/openai/chat/completions', '{"model":"flash"}')
  expect(await errorOf(openai)).toMatchObject({ code: 'upstream_failed', type: 'server_error' })
  const google = await setting.send('/gemini/v1beta/models/flash:generateContent', '{"contents":[]}')
  expect(await google.json()).toMatchObject({ error: { code: 502, status: 'UNAVAILABLE' } })
})
