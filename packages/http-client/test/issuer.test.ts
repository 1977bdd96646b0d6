import { Secret } from '@waybill/service-kit'
import { afterEach, describe, expect, test } from 'vitest'
import type { HttpClient } from '../src/index.ts'
import { client, recorder, SECRET, thrown } from './stand.ts'
import type { Recorded, Recorder } from './stand.ts'

let neighbour: Recorder
let http: HttpClient
const answering = async (status: number, body: unknown): Promise<HttpClient> => {
  neighbour = await recorder((_request, res) => res.writeHead(status).end(JSON.stringify(body)))
  http = client({ AUTH_SERVICE_URL: neighbour.url })
  return http
}
const never = new AbortController().signal
const basic = `Basic ${Buffer.from(`docling:${encodeURIComponent(SECRET)}`).toString('base64')}`
const only = (): Recorded => {
  expect(neighbour.requests).toHaveLength(1)
  return neighbour.requests[0]!
}

afterEach(async () => {
  await http.close()
  await neighbour.close()
})

describe('the published keys', () => {
  test('are given back as they are, asked for by nobody in particular', async () => {
    const { issuer } = await answering(200, { keys: [] })
    expect(await issuer.jwks()).toEqual({ keys: [] })
    expect(only()).toMatchObject({ method: 'GET', url: '/.well-known/jwks.json' })
    expect(only().headers).not.toHaveProperty('authorization')
  })

  test('of an issuer that is not there are unavailable', async () => {
    const { issuer } = await answering(200, {})
    await neighbour.close()
    expect(await thrown(issuer.jwks())).toMatchObject({ code: 'unavailable' })
  })
})

describe('the feed of revocations', () => {
  const page = { cursor: '7', revocations: [{ kind: 'session', id: 's', expires_at: 9 }] }

  test('is read at once the first time and when it was away, and else waits for news', async () => {
    const { issuer } = await answering(200, page)
    expect(await issuer.revocations(undefined, never, true)).toEqual(page)
    await issuer.revocations('7', never, true)
    await issuer.revocations('7', never, false)
    expect(neighbour.requests.map(({ url }) => url)).toEqual([
      '/oauth/revocations?wait=0',
      '/oauth/revocations?wait=20&after=7',
      '/oauth/revocations?wait=0&after=7',
    ])
    expect(neighbour.requests[0]!.headers.authorization).toBe(basic)
  })

  test('is given up when its follower stops', async () => {
    const stopping = new AbortController()
    neighbour = await recorder(() => {
      stopping.abort()
    })
    http = client({ AUTH_SERVICE_URL: neighbour.url })
    const error = await thrown(http.issuer.revocations('7', stopping.signal, true))
    expect(error).toMatchObject({ code: 'client_closed' })
  })

  test('in another form than promised is no page', async () => {
    const { issuer } = await answering(200, { cursor: 7 })
    expect(await thrown(issuer.revocations(undefined, never, true))).toMatchObject({
      code: 'upstream_failed',
    })
  })
})

describe('an API key', () => {
  const KEY = 'wb_canary'

  test('is asked about in the body, by a service that says who it is', async () => {
    const { issuer } = await answering(200, { active: false })
    expect(await issuer.introspect(new Secret(KEY))).toEqual({ active: false })
    expect(only()).toMatchObject({ method: 'POST', url: '/oauth/introspect' })
    expect(Object.fromEntries(new URLSearchParams(only().body))).toEqual({
      token: KEY,
      token_type_hint: 'api_key',
    })
    expect(only().headers.authorization).toBe(basic)
  })

  test.each([
    [401, { error: 'invalid_client' }, 'upstream_failed'],
    [429, {}, 'upstream_failed'],
    [500, {}, 'upstream_failed'],
    [503, {}, 'unavailable'],
    [200, { active: true }, 'upstream_failed'],
  ])('that the issuer answers with %i %j is not the caller’s fault: %s', async (status, body, code) => {
    const { issuer } = await answering(status, body)
    const error = await thrown(issuer.introspect(new Secret(KEY)))
    expect(error).toMatchObject({ code })
    expect(String(error)).not.toContain(KEY)
  })
})
