import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AnswerTooLongError } from '../src/index.ts'
import type { ExternalClient, HttpClient } from '../src/index.ts'
import { client, issuer, recorder, serving, thrown } from './stand.ts'
import type { Issuer, Recorder } from './stand.ts'

let auth: Issuer
let backend: Recorder
let http: HttpClient
let outside: ExternalClient
let answer: Parameters<typeof recorder>[0]
beforeEach(async () => {
  auth = await issuer()
  answer = (_request, res) => res.setHeader('X-Told', '1').end('{"n":1}')
  backend = await recorder((...all) => answer?.(...all))
  http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_TIMEOUT_MS: '2000', CLIENT_MAX_ANSWER_BYTES: '1024' })
  outside = http.external({
    allowHeaders: ['apikey'],
    allowPrivateOrigins: [backend.url],
    backend: 'The store',
  })
})
afterEach(async () => {
  await http.close()
  await backend.close()
  await auth.close()
})

const call = () => outside.call({ method: 'GET', url: `${backend.url}/x`, headers: { apikey: 'k' } })

describe('a call to a backend outside', () => {
  test('gives back the whole answer, whatever its status, and takes along nothing but what is listed', async () => {
    expect(await serving(call)).toMatchObject({ status: 200, headers: { 'x-told': '1' }, body: { n: 1 } })
    expect(Object.keys(backend.requests[0]!.headers).sort()).toEqual(
      ['accept', 'accept-encoding', 'apikey', 'connection', 'host', 'user-agent'],
    ) // prettier-ignore
    answer = (_request, res) => res.writeHead(404).end('<html>')
    expect(await call()).toMatchObject({ status: 404, body: '<html>' })
  })

  test('that cannot be reached is 503, as of a neighbour, and names the backend and not where it is', async () => {
    await backend.close()
    const error = await thrown(call())
    expect(error).toMatchObject({ code: 'unavailable', headers: { 'Retry-After': '1' }, sent: false })
    expect(String(error)).toContain('The store cannot be reached')
    expect(String(error)).not.toContain('127.0.0.1')
  })

  test('takes no longer than its caller waits, and no more than CLIENT_MAX_ANSWER_BYTES', async () => {
    answer = (_request, res) => void res.write('{"n":')
    const context = { deadline: Date.now() + 100 }
    expect(await thrown(serving(call, context))).toMatchObject({ code: 'timeout' })
    answer = (_request, res) => res.end('x'.repeat(1_025))
    const tooLong = await thrown(call())
    expect([tooLong instanceof AnswerTooLongError, tooLong]).toMatchObject([
      true,
      { code: 'upstream_failed' },
    ])
    answer = (_request, res) => {
      res.write('x')
      res.socket?.destroy()
    }
    expect(await thrown(call())).toMatchObject({ code: 'unavailable', sent: true })
    answer = (_request, res) => res.socket?.destroy()
    expect(await thrown(call())).toMatchObject({ code: 'unavailable', sent: true })
  })
})

describe('a token on behalf of the user, for an audience outside', () => {
  test("is exchanged for the request's own credential, kept for its user, and asked for anew when it is given back", async () => {
    const tokens = http.onBehalfOf('supabase')
    const first = await serving(() => tokens.token())
    expect(first).toBe('canary-supabase-canary-ann-1')
    expect(await serving(() => tokens.token())).toBe(first)
    serving(() => {
      tokens.forget('another')
    })
    expect(await serving(() => tokens.token())).toBe(first)
    serving(() => {
      tokens.forget(first)
    })
    expect(await serving(() => tokens.token())).toBe('canary-supabase-canary-ann-2')
    expect(auth.asked().map((form) => form.get('audience'))).toEqual(['supabase', 'supabase'])
  })

  test('is had for no request without one', async () => {
    const tokens = http.onBehalfOf('supabase')
    expect(await thrown(tokens.token())).toMatchObject({ code: 'forbidden' })
    const service = { credential: undefined } as never // what a service with a certificate has
    expect(await thrown(serving(() => tokens.token(), service))).toMatchObject({ code: 'forbidden' })
    expect(auth.requests).toEqual([])
  })

  test('is waited for no longer than the caller waits', async () => {
    await auth.close()
    const silent = await recorder(() => undefined)
    const slow = client({ AUTH_SERVICE_URL: silent.url })
    const context = { deadline: Date.now() + 100 }
    const error = await thrown(serving(() => slow.onBehalfOf('supabase').token(), context))
    expect(error).toMatchObject({ code: 'timeout' })
    await slow.close()
    await silent.close()
    auth = await issuer()
  })
})
