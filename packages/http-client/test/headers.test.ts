import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { requestContext } from '@waybill/service-kit'
import type { ServicePrincipal } from '@waybill/service-kit'
import type { HttpClient } from '../src/index.ts'
import { ANN, client, createThing, getThing, issuer, recorder, SECRET, serving, THING } from './stand.ts'
import type { Issuer, Recorder } from './stand.ts'

let auth: Issuer
let neighbour: Recorder
let http: HttpClient
beforeEach(async () => {
  ;[auth, neighbour] = await Promise.all([issuer(), recorder()])
  http = client({ AUTH_SERVICE_URL: auth.url })
})
afterEach(async () => {
  await http.close()
  await Promise.all([auth.close(), neighbour.close()])
})
const proxy = () => http.internal('llm-proxy', neighbour.url)
const last = () => neighbour.requests.at(-1)!

describe('a call to a neighbour carries', () => {
  test('exactly what the header table says, and nothing else', async () => {
    await serving(() => proxy().call(getThing, THING))
    const { headers } = last()
    const timeoutMs = Number(headers['x-request-timeout-ms'])
    expect(headers).toEqual({
      authorization: 'Bearer canary-llm-proxy-canary-ann-1',
      'x-user-id': 'ann',
      'x-tenant-id': 't1',
      'x-service-name': 'docling',
      'x-request-id': 'journey-1',
      'x-request-timeout-ms': headers['x-request-timeout-ms'],
      'user-agent': 'waybill',
      accept: '*/*',
      'accept-encoding': 'identity',
      host: new URL(neighbour.url).host,
      connection: 'keep-alive',
    })
    expect(timeoutMs).toBeGreaterThan(0)
    expect(timeoutMs).toBeLessThanOrEqual(20_000)
  })

  test('a body as JSON with its length, in bytes', async () => {
    await serving(() => proxy().call(createThing, { body: { name: 'Ä' } }))
    expect(last()).toMatchObject({
      body: '{"name":"Ä"}',
      headers: { 'content-type': 'application/json', 'content-length': '13' },
    })
    expect(last().headers).not.toHaveProperty('transfer-encoding')
  })

  test('empty identity headers where there is nothing to say, so that nothing can be slipped in', async () => {
    const { tenantId: _tenantId, ...ann } = ANN
    await serving(() => proxy().call(getThing, THING), { principal: ann })
    expect(last().headers).toMatchObject({ 'x-user-id': 'ann', 'x-tenant-id': '' })
    const principal: ServicePrincipal = {
      kind: 'service',
      service: 'gateway',
      permissions: [],
      actors: [],
      via: 'service-jwt',
    }
    await serving(() => proxy().call(getThing, THING), { principal })
    expect(last().headers).toMatchObject({ 'x-user-id': '', 'x-tenant-id': '', 'x-service-name': 'docling' })
  })

  test("the service's own token outside any request: nobody stands behind it", async () => {
    expect(requestContext()).toBeUndefined()
    await proxy().call(getThing, THING)
    expect(last().headers).toMatchObject({
      authorization: 'Bearer canary-llm-proxy-nobody-1',
      'x-user-id': '',
      'x-tenant-id': '',
      'x-service-name': 'docling',
    })
    expect(last().headers).not.toHaveProperty('x-request-id')
    expect(Object.fromEntries(auth.asked()[0]!)).toEqual({
      grant_type: 'client_credentials',
      audience: 'llm-proxy',
    })
  })

  test('its parameters encoded, each as one segment', async () => {
    for (const id of ['a/b', 'a?b', 'a#b', '%2e%2e', 'a b', 'ä', ';x', '..%2f', '\\..']) {
      await serving(() => proxy().call(getThing, { params: { id } }))
      expect(last().url).toBe(`/v1/things/${encodeURIComponent(id)}`)
      expect(decodeURIComponent(last().url.split('/')[3]!)).toBe(id)
    }
    await serving(() => proxy().call(getThing, { ...THING, query: { tags: ['a', 'b'], q: 'x&y=z' } }))
    expect(last().url).toBe('/v1/things/7?tags=a%2Cb&q=x%26y%3Dz')
  })

  test.each(['.', '..', '', '\ud800'])(
    'but not the parameter %j, which a server would resolve away',
    async (id) => {
      await expect(serving(() => proxy().call(getThing, { params: { id } }))).rejects.toMatchObject({
        code: 'bad_request',
      })
      expect(neighbour.requests).toHaveLength(0)
    },
  )
})

describe('a token on behalf of the user', () => {
  test('is asked for as RFC 8693 says, by the service in its own name', async () => {
    await serving(() => proxy().call(getThing, { ...THING, workspaceId: 'w1' }))
    const [request] = auth.requests
    expect(request).toMatchObject({ method: 'POST', url: '/oauth/token' })
    expect(Object.fromEntries(auth.asked()[0]!)).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'canary-ann',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'llm-proxy',
      workspace_id: 'w1',
    })
    const basic = Buffer.from(request!.headers.authorization!.slice('Basic '.length), 'base64').toString()
    expect(basic).toBe(`docling:${SECRET}`)
    expect(request!.headers['x-request-id']).toBe('journey-1')
  })
})

describe('a request that is sent on', () => {
  const forward = (headers: Record<string, string | string[]>) =>
    serving(() => proxy().forward({ method: 'GET', path: '/v1/things?q=1', headers }))

  test('keeps what concerns its content, and the credential is exchanged', async () => {
    const kept = {
      'accept-language': 'de',
      'x-custom': 'kept',
      'content-type': 'text/csv',
      'user-agent': 'curl/8',
    }
    const { body } = await forward({
      ...kept,
      accept: 'text/html',
      'accept-encoding': 'gzip',
      authorization: 'Bearer x',
    })
    body.resume()
    expect(last().headers).toMatchObject({
      ...kept,
      accept: 'text/html',
      'accept-encoding': 'gzip',
      authorization: 'Bearer canary-llm-proxy-canary-ann-1',
    })
  })

  test.each([
    'authorization',
    'baggage',
    'connection',
    'cookie',
    'expect',
    'forwarded',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'trailer',
    'traceparent',
    'tracestate',
    'txn-token',
    'upgrade',
    'x-api-key',
    'x-goog-api-key',
    'api-key',
    'x-auth-request-user',
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-request-id',
    'x-request-timeout-ms',
    'x-service-name',
    'x-service-secret',
    'x-tenant-id',
    'x-user-email',
    'x-user-id',
    'x_user_id',
    'x_user-id',
    'x-tenant_id',
    'x_service_name',
    'x_api_key',
    'x_forwarded_for',
    'transfer_encoding',
  ])('does not keep what the client said as %s', async (name) => {
    const { body } = await forward({ [name]: 'canary-of-client' })
    body.resume()
    expect(JSON.stringify(last().headers)).not.toContain('canary-of-client')
    expect(last().names.filter((sent) => sent.includes('_'))).toEqual([])
  })

  test('loses what Connection names, but never what is stamped afterwards', async () => {
    const { body } = await forward({
      connection: 'close, X-User-ID, x-request-id,X-Custom , Authorization',
      'x-custom': 'nominated',
      'x-user-id': 'admin',
    })
    body.resume()
    expect(last().headers).toMatchObject({
      'x-user-id': 'ann',
      'x-request-id': 'journey-1',
      authorization: 'Bearer canary-llm-proxy-canary-ann-1',
      connection: 'keep-alive',
    })
    expect(last().headers).not.toHaveProperty('x-custom')
  })

  test('may have headers that are named like methods', async () => {
    const odd = { get: '1', set: '2', has: '3', normalize: '4', constructor: '5', tojson: '6' }
    const { status, body } = await forward(odd)
    body.resume()
    expect(status).toBe(200)
    expect(last().headers).toMatchObject(odd)
  })

  test.each(["/a?q=it's", '/a?', '/a?b=%zz&c=%20+', '/a%20b?x=a|b"<>`{}', '/a?u=http://x/../y'])(
    'arrives at %s, byte for byte',
    async (path) => {
      const { body } = await serving(() => proxy().forward({ method: 'GET', path, headers: {} }))
      body.resume()
      expect(Buffer.from(last().url, 'latin1')).toEqual(Buffer.from(path, 'latin1'))
    },
  )

  test('without a body gets no content type and no length that it did not have', async () => {
    const { body } = await serving(() => proxy().forward({ method: 'POST', path: '/a', headers: {} }))
    body.resume()
    expect(last().headers).not.toHaveProperty('content-type')
    expect(last().headers['content-length']).toBe('0')
  })

  test('carries no identity and no credential when the route behind is open', async () => {
    const request = {
      method: 'POST',
      path: '/auth/login',
      headers: { authorization: 'Bearer x' },
      anonymous: true,
    }
    const { body } = await serving(() => proxy().forward(request))
    body.resume()
    expect(last().headers).toMatchObject({ 'x-user-id': '', 'x-tenant-id': '', 'x-service-name': '' })
    expect(last().headers).not.toHaveProperty('authorization')
    expect(auth.requests).toHaveLength(0)
  })

  test('gets back what the neighbour answered, without what concerns their connection', async () => {
    await neighbour.close()
    neighbour = await recorder((_request, res) => {
      res.writeHead(418, {
        Connection: 'close, X-Hop',
        'X-Hop': '1',
        'Keep-Alive': 'timeout=5',
        'Proxy-Authenticate': 'Basic',
        'X-Request-ID': 'of the neighbour',
        'Set-Cookie': ['a=1', 'b=2'],
        'Content-Encoding': 'gzip',
        ETag: '"x"',
      })
      res.end('bytes')
    })
    const { status, headers, body } = await forward({})
    expect({ status, text: String((await body.toArray())[0]) }).toEqual({ status: 418, text: 'bytes' })
    const { date: _date, ...rest } = headers
    expect(rest).toEqual({ 'set-cookie': ['a=1', 'b=2'], 'content-encoding': 'gzip', etag: '"x"' })
  })
})

describe('with PROPAGATION_MODE=passthrough', () => {
  const passthrough = (hosts: string) =>
    client({ AUTH_SERVICE_URL: auth.url, PROPAGATION_MODE: 'passthrough', PASSTHROUGH_HOSTS: hosts })

  test("the user's own token goes to a listed host, without a service name that it does not back", async () => {
    const { host, hostname } = new URL(neighbour.url)
    for (const listed of [host, hostname]) {
      const own = passthrough(`elsewhere, ${listed}`)
      await serving(() => own.internal('llm-proxy', neighbour.url).call(getThing, THING))
      await own.close()
      expect(last().headers).toMatchObject({
        authorization: 'Bearer canary-ann',
        'x-user-id': 'ann',
        'x-service-name': '',
      })
    }
    expect(auth.requests).toHaveLength(0)
  })

  test.each(['', 'elsewhere', '127.0.0.1:1', '127.0.0', '27.0.0.1'])(
    'and to no other: %j is listed',
    async (hosts) => {
      const own = passthrough(hosts)
      const refused = serving(() => own.internal('llm-proxy', neighbour.url).call(getThing, THING))
      await expect(refused).rejects.toMatchObject({ code: 'internal' })
      await own.close()
      expect(neighbour.requests).toHaveLength(0)
    },
  )

  test('a call with no user behind it is made in the own name of the service', async () => {
    const own = passthrough('')
    await own.internal('llm-proxy', neighbour.url).call(getThing, THING)
    await own.close()
    expect(last().headers).toMatchObject({
      authorization: 'Bearer canary-llm-proxy-nobody-1',
      'x-service-name': 'docling',
    })
  })
})
