import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HttpClient } from '../src/index.ts'
import { client, issuer, recorder, serving, thrown } from './stand.ts'
import type { Issuer, Recorder } from './stand.ts'

let auth: Issuer
/** Takes requests and never answers. */
let silent: Recorder
let http: HttpClient
beforeEach(async () => {
  auth = await issuer()
  silent = await recorder(() => undefined)
  http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_MAX_SOCKETS: '1' })
})
afterEach(async () => {
  await http.close()
  await silent.close()
  await auth.close()
})

describe('a request that gave up waiting for a connection', () => {
  test('leaves nothing of its body behind', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void // what the flag puts there
    const outside = http.external({ allowHeaders: [], allowPrivateOrigins: [silent.url] })
    const holding = new AbortController()
    const held = thrown(outside.send({ method: 'GET', url: silent.url, signal: holding.signal }))

    const giveUp = async (): Promise<WeakRef<Buffer>> => {
      const body = Buffer.alloc(1024)
      const request = { method: 'POST', url: silent.url, body, connectTimeoutMs: 10 }
      expect(await thrown(outside.send(request))).toMatchObject({ code: 'timeout', sent: false })
      return new WeakRef(body)
    }
    const bodies = [await giveUp(), await giveUp(), await giveUp()]
    // A weak reference holds until the turn that made it, or looked at it, is over.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    expect(bodies.map((body) => body.deref())).toEqual([undefined, undefined, undefined])

    holding.abort()
    await held
  })

  test('lets the next one have the connection', async () => {
    const outside = http.external({ allowHeaders: [], allowPrivateOrigins: [silent.url] })
    const holding = new AbortController()
    const held = thrown(outside.send({ method: 'GET', url: silent.url, signal: holding.signal }))
    await thrown(outside.send({ method: 'POST', url: silent.url, body: 'lost', connectTimeoutMs: 10 }))
    const arrived = new Promise((resolve) =>
      silent.server.on('request', (req) => {
        if (req.url === '/next') resolve(req)
      }),
    )
    const last = new AbortController()
    const next = thrown(
      outside.send({ method: 'POST', url: `${silent.url}/next`, body: 'kept', signal: last.signal }),
    )
    holding.abort()
    await held
    await arrived
    last.abort()
    await next
    expect(silent.requests.map(({ body }) => body)).not.toContain('lost')
  })
})

describe('a pool of its own', () => {
  test('keeps no other call waiting, and is 503 when it is full', async () => {
    const patient = http.internal('llm-proxy', silent.url, { pool: { maxSockets: 1, connectTimeoutMs: 20 } })
    const holding = new AbortController()
    const held = thrown(
      serving(() => patient.forward({ method: 'GET', path: '/', headers: {} }), { signal: holding.signal }),
    )
    await new Promise((resolve) => silent.server.once('request', resolve))
    const refused = await thrown(serving(() => patient.forward({ method: 'GET', path: '/', headers: {} })))
    expect(refused).toMatchObject({ code: 'unavailable', sent: false, headers: { 'Retry-After': '1' } })

    const quick = await recorder()
    const answer = await serving(() =>
      http.internal('llm-proxy', quick.url).forward({ method: 'GET', path: '/', headers: {} }),
    )
    answer.body.resume()
    expect(answer.status).toBe(200)
    holding.abort()
    await held
    await quick.close()
  })
})
