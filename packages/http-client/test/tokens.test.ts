import { Secret } from '@waybill/service-kit'
import type { Credential } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOAuthCall } from '../src/oauth-call.ts'
import { createTokenSource } from '../src/token-source.ts'
import type { TokenSource } from '../src/token-source.ts'
import { createTransport } from '../src/transport.ts'
import { issuer, recorder, thrown } from './stand.ts'
import type { Issuer } from './stand.ts'

let auth: Issuer
let now = 0
const transport = createTransport({ maxSockets: 64 })
const source = (authServiceUrl: string, cacheSize = 100): TokenSource =>
  createTokenSource({
    oauth: createOAuthCall({
      service: 'docling',
      secret: new Secret('canary-secret'),
      authServiceUrl,
      transport,
      maxAnswerBytes: 100_000,
    }),
    timeoutMs: 5_000,
    renewBeforeMs: 15_000,
    cacheSize,
    now: () => now,
  })
const tokenOf = (name: string): Credential => ({ type: 'access-token', secret: new Secret(name) })
const subject = tokenOf('ann')

beforeEach(async () => {
  auth = await issuer(120)
})
afterEach(async () => {
  await auth.close()
})

describe('a token', () => {
  test('is asked for once, however many callers wait', async () => {
    const tokens = source(auth.url)
    const had = await Promise.all(
      Array.from({ length: 50 }, () => tokens.tokenFor({ audience: 'llm-proxy', subject })),
    )
    expect(new Set(had)).toEqual(new Set(['canary-llm-proxy-ann-1']))
    expect(auth.requests).toHaveLength(1)
  })

  test('is kept until a call that it is sent with could outlive it', async () => {
    const tokens = source(auth.url)
    const ask = () => tokens.tokenFor({ audience: 'llm-proxy', subject })
    await ask()
    now += 104_999
    await ask()
    expect(auth.requests).toHaveLength(1)
    now += 1
    expect(await ask()).toBe('canary-llm-proxy-ann-2')
  })

  test('that is short-lived is kept for half of its life, not asked for at every call', async () => {
    await auth.close()
    auth = await issuer(10)
    const tokens = source(auth.url)
    const ask = () => tokens.tokenFor({ audience: 'llm-proxy', subject })
    await ask()
    now += 4_999
    await ask()
    expect(auth.requests).toHaveLength(1)
    now += 1
    await ask()
    expect(auth.requests).toHaveLength(2)
  })

  test('is shared neither between users nor audiences nor workspaces', async () => {
    const tokens = source(auth.url)
    const had = [
      await tokens.tokenFor({ audience: 'llm-proxy', subject }),
      await tokens.tokenFor({ audience: 'llm-proxy', subject: tokenOf('bob') }),
      await tokens.tokenFor({ audience: 'data_store', subject }),
      await tokens.tokenFor({ audience: 'llm-proxy' }),
      await tokens.tokenFor({ audience: 'llm-proxy', subject, workspaceId: 'w1' }),
      await tokens.tokenFor({ audience: 'llm-proxy', subject, workspaceId: 'w2' }),
      await tokens.tokenFor({ audience: 'llm-proxy', subject: { ...subject, type: 'api-key' } }),
    ]
    expect(new Set(had).size).toBe(7)
  })

  test('takes bounded room: the oldest goes first', async () => {
    const tokens = source(auth.url, 2)
    for (const name of ['a', 'b', 'c', 'c', 'b', 'a']) {
      await tokens.tokenFor({ audience: 'llm-proxy', subject: tokenOf(name) })
    }
    expect(auth.requests).toHaveLength(4)
  })
})

describe('a token that was not accepted', () => {
  test('is forgotten, but never the newer one that another caller had in its place', async () => {
    const tokens = source(auth.url)
    const request = { audience: 'llm-proxy', subject }
    const refused = await tokens.tokenFor(request)
    tokens.forget(request, refused)
    const newer = await tokens.tokenFor(request)
    expect(newer).not.toBe(refused)
    tokens.forget(request, refused)
    expect(await tokens.tokenFor(request)).toBe(newer)
  })
})

describe('a refusal', () => {
  test('is not remembered', async () => {
    let healthy = false
    const flaky = await recorder((_request, res) => {
      if (!healthy) res.writeHead(503).end()
      else res.end(JSON.stringify({ access_token: 't', token_type: 'Bearer', expires_in: 60, scope: '' }))
    })
    const tokens = source(flaky.url)
    const asks = Array.from({ length: 5 }, () => thrown(tokens.tokenFor({ audience: 'llm-proxy', subject })))
    for (const error of await Promise.all(asks)) expect(error).toMatchObject({ code: 'unavailable' })
    expect(flaky.requests).toHaveLength(1)
    healthy = true
    expect(await tokens.tokenFor({ audience: 'llm-proxy', subject })).toBe('t')
    await flaky.close()
  })

  test.each<[number, object | string, string, number]>([
    [400, { error: 'invalid_grant' }, 'invalid_token', 401],
    [400, { error: 'invalid_target' }, 'forbidden', 403],
    [400, { error: 'invalid_scope' }, 'forbidden', 403],
    [400, { error: 'unauthorized_client' }, 'forbidden', 403],
    [401, { error: 'invalid_client' }, 'upstream_failed', 502],
    [429, { error: 'Too many requests', code: 'rate_limited', detail: 'Slow down.' }, 'rate_limited', 429],
    [503, { error: 'Temporarily unavailable' }, 'unavailable', 503],
    [500, 'a page of HTML', 'upstream_failed', 502],
    [200, 'a page of HTML', 'upstream_failed', 502],
    [200, { access_token: 'canary' }, 'upstream_failed', 502],
    [302, '', 'upstream_failed', 502],
    [401, 'a page of HTML', 'upstream_failed', 502],
    [200, 'long'.repeat(25_001), 'upstream_failed', 502],
  ])('%i %j becomes %s', async (status, body, code, ours) => {
    const refusing = await recorder((_request, res) => {
      res.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
    })
    const error = await thrown(source(refusing.url).tokenFor({ audience: 'llm-proxy', subject }))
    expect(error).toMatchObject({ code, status: ours })
    expect(JSON.stringify(error)).not.toContain('canary')
    await refusing.close()
  })
})
