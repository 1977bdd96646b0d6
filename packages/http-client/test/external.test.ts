import type { lookup } from 'node:dns'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isPublicAddress, publicLookup } from '../src/address-guard.ts'
import type { ExternalClient, HttpClient } from '../src/index.ts'
import { client, recorder, serving, thrown } from './stand.ts'
import type { Recorder } from './stand.ts'

let provider: Recorder
let http: HttpClient
let outside: ExternalClient
beforeEach(async () => {
  provider = await recorder((_request, res) => res.end('answer'))
  http = client({ CLIENT_TIMEOUT_MS: '2000' })
  outside = http.external({ allowHeaders: ['Content-Type'], allowPrivateOrigins: [provider.url] })
})
afterEach(async () => {
  await http.close()
  await provider.close()
})

describe('a call to the outside', () => {
  test('takes along what the caller lists, and nothing of who asks', async () => {
    const { status, body } = await serving(() =>
      outside.send({
        method: 'POST',
        url: `${provider.url}/v1/chat?x=1`,
        headers: { Authorization: 'Bearer provider-key', 'Content-Type': 'application/json' },
        body: '{}',
      }),
    )
    expect([status, await text(body)]).toEqual([200, 'answer'])
    expect(provider.requests[0]).toMatchObject({ method: 'POST', url: '/v1/chat?x=1', body: '{}' })
    expect(provider.requests[0]!.headers).toEqual({
      authorization: 'Bearer provider-key',
      'content-type': 'application/json',
      'content-length': '2',
      'user-agent': 'waybill',
      accept: '*/*',
      'accept-encoding': 'identity',
      host: new URL(provider.url).host,
      connection: 'keep-alive',
    })
  })

  test.each(['X-User-ID', 'x-request-id', 'traceparent', 'Cookie', 'Host'])(
    'refuses the header %s before anything is sent',
    async (name) => {
      const send = serving(() => outside.send({ method: 'GET', url: provider.url, headers: { [name]: 'x' } }))
      expect(await thrown(send)).toMatchObject({ code: 'internal' })
      expect(provider.requests).toHaveLength(0)
    },
  )

  test('does not follow a redirect: the answer is given back as it is', async () => {
    const sink = await recorder()
    await provider.close()
    provider = await recorder((_request, res) => res.writeHead(302, { Location: sink.url }).end())
    outside = http.external({ allowHeaders: [], allowPrivateOrigins: [provider.url] })
    const { status, headers, body } = await outside.send({
      method: 'GET',
      url: provider.url,
      headers: { Authorization: 'Bearer provider-key' },
    })
    body.resume()
    expect({ status, location: headers.location }).toEqual({ status: 302, location: sink.url })
    expect(sink.requests).toHaveLength(0)
    await sink.close()
  })

  test('gives back any status, and is 502 when there is none: the outside being down is not our being down', async () => {
    await provider.close()
    expect(await thrown(outside.send({ method: 'GET', url: provider.url }))).toMatchObject({
      code: 'upstream_failed',
      status: 502,
    })
    provider = await recorder(() => undefined)
    outside = http.external({ allowHeaders: [], allowPrivateOrigins: [provider.url] })
    expect(await thrown(outside.send({ method: 'GET', url: provider.url, timeoutMs: 50 }))).toMatchObject({
      code: 'timeout',
    })
  })

  test('may stream for longer than its head may take, and its error holds no key', async () => {
    await provider.close()
    provider = await recorder((_request, res) => {
      res.write('first ')
      setTimeout(() => res.end('second'), 1_500)
    })
    outside = http.external({ allowHeaders: [], allowPrivateOrigins: [provider.url] })
    const { body } = await outside.send({ method: 'GET', url: provider.url, timeoutMs: 1_000 })
    expect(await text(body)).toBe('first second')
    await provider.close()
    const error = await thrown(
      outside.send({
        method: 'GET',
        url: `${provider.url}/canary?key=canary`,
        headers: { Authorization: 'canary' },
      }),
    )
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('canary')
  })
})

describe('a connection that is not had in time', () => {
  test('is 504, and known to have sent nothing', async () => {
    await provider.close()
    provider = await recorder(() => undefined)
    http = client({ CLIENT_MAX_SOCKETS: '1' })
    outside = http.external({ allowHeaders: [], allowPrivateOrigins: [provider.url] })
    // The only connection there may be is taken by a request that gets no answer.
    const first = new AbortController()
    const taken = thrown(outside.send({ method: 'GET', url: provider.url, signal: first.signal }))
    const error = await thrown(
      outside.send({ method: 'GET', url: provider.url, connectTimeoutMs: 50, timeoutMs: 60_000 }),
    )
    expect(error).toMatchObject({ code: 'timeout', sent: false })
    first.abort()
    expect(await taken).toMatchObject({ code: 'client_closed' })
    expect(provider.requests).toHaveLength(1)
  })
})

describe('a request that cannot be written', () => {
  test('fails without a word of its headers', async () => {
    const send = outside.send({ method: 'GET', url: provider.url, headers: { 'Content-Type': 'canary\n' } })
    expect(String(((await thrown(send)) as Error).stack)).not.toContain('canary')
    expect(provider.requests).toHaveLength(0)
  })

  test('keeps its path to the letter', async () => {
    await outside.send({ method: 'GET', url: `${provider.url}/a%2Fb/../c?x=%41&y` })
    expect(provider.requests[0]!.url).toBe('/a%2Fb/../c?x=%41&y')
  })
})

describe('an address that is not public is refused', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[::127.0.0.1]/',
    'http://[::ffff:0:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
  ])('%s', async (url) => {
    expect(await thrown(outside.send({ method: 'GET', url }))).toMatchObject({
      code: 'bad_request',
      status: 400,
    })
  })

  test('behind a name', async () => {
    const url = provider.url.replace('127.0.0.1', 'localhost')
    expect(await thrown(outside.send({ method: 'GET', url }))).toMatchObject({ code: 'bad_request' })
    expect(provider.connections()).toBe(0)
  })

  test('unless the call is to a place that an operator named, and then for this call alone', async () => {
    const cautious = http.external({ allowHeaders: [] })
    const { body } = await cautious.send({ method: 'GET', url: provider.url, allowPrivate: true })
    body.resume()
    expect(await thrown(cautious.send({ method: 'GET', url: provider.url }))).toMatchObject({
      code: 'bad_request',
    })
    expect(provider.requests).toHaveLength(1)
  })

  test('unless an operator allows just this origin', async () => {
    const { port } = new URL(provider.url)
    const { status, body } = await outside.send({ method: 'GET', url: provider.url })
    body.resume()
    expect(status).toBe(200)
    const other = `http://127.0.0.1:${String(Number(port) + 1)}`
    expect(await thrown(outside.send({ method: 'GET', url: other }))).toMatchObject({ code: 'bad_request' })
    expect(await thrown(outside.send({ method: 'GET', url: `https://127.0.0.1:${port}` }))).toMatchObject({
      code: 'bad_request',
    })
  })

  test.each([
    'file:///etc/passwd',
    'ftp://x/',
    'gopher://x/',
    'data:,x',
    'http://',
    'not a url',
    '/path',
    'http://u:p@example.com/',
  ])('and so is %s, which is no URL to call', async (url) => {
    expect(await thrown(outside.send({ method: 'GET', url }))).toMatchObject({ code: 'bad_request' })
  })

  test.each(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '::ffff:8.8.8.8', '172.32.0.1', '100.128.0.1'])(
    'but %s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )

  test.each(['', 'localhost', '1.2.3', '999.1.1.1'])('and %j is no address at all', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('a name with several addresses', () => {
  const resolving = (...addresses: string[]): typeof lookup => {
    const all = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    return ((_name: string, _options: object, done: (error: null, found: object[]) => void) => {
      done(null, all)
    }) as unknown as typeof lookup // only the form with `all` is used
  }
  const outcome = (resolve: typeof lookup, all: boolean): Promise<unknown> =>
    new Promise((done) => {
      publicLookup(resolve)('example.com', { all }, (error, found) => done(error ? error.code : found))
    })

  test('is refused as soon as one of them is private, and not if it has none', async () => {
    for (const all of [true, false]) {
      expect(await outcome(resolving('8.8.8.8', '169.254.169.254'), all)).toBe('EPRIVATE')
      expect(await outcome(resolving('8.8.8.8', '::ffff:10.0.0.1'), all)).toBe('EPRIVATE')
      expect(await outcome(resolving(), all)).toBe('EPRIVATE')
    }
  })

  test('is connected to at the very addresses that were judged', async () => {
    expect(await outcome(resolving('8.8.8.8', '1.1.1.1'), false)).toBe('8.8.8.8')
    expect(await outcome(resolving('8.8.8.8', '1.1.1.1'), true)).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '1.1.1.1', family: 4 },
    ])
  })
})
