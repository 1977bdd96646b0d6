import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createService, route, serviceEnv } from '@waybill/service-kit'
import { open } from '@waybill/auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { gate, listen, once, stand } from './stand.ts'
import type { Stand } from './stand.ts'

const MB = 1024 ** 2
let here: Stand
let token: string
beforeEach(async () => {
  here = await stand()
  token = await here.issuer.userToken('ann')
})
afterEach(() => here.close())

/** A request that is still being sent, and its answer. */
function begin(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  const { method = 'POST', headers = {} } = options
  const sent: ClientRequest = request(here.url + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...headers },
  })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve).once('error', reject)
  })
  answer.catch(() => undefined)
  return { sent, answer }
}
const get = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(here.url + path, { headers: { Authorization: `Bearer ${token}` }, redirect: 'manual', ...init })

describe('nothing is held back', () => {
  test('the head of an answer and its first bytes arrive before the service behind has finished', async () => {
    const finish = gate()
    here.behind.handle = (_req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.flushHeaders()
      void finish.promise.then(() => res.end('data: last\n\n'))
    }
    const { sent, answer } = begin('/llm', { method: 'GET' })
    sent.end()
    const response = await answer // although not one byte of the body is there
    expect(response.headers['content-type']).toBe('text/event-stream')
    finish.resolve()
    expect(await text(response)).toBe('data: last\n\n')
  })

  test('each part of an answer arrives by itself', async () => {
    const next = [gate(), gate()]
    here.behind.handle = (_req, res) => {
      res.write('one')
      void next[0]!.promise.then(() => res.write('two'))
      void next[1]!.promise.then(() => res.end('three'))
    }
    const { body } = await get('/llm')
    const reader = body!.getReader()
    const part = async () => Buffer.from((await reader.read()).value ?? []).toString()
    expect(await part()).toBe('one')
    next[0]!.resolve()
    expect(await part()).toBe('two')
    next[1]!.resolve()
    expect(await part()).toBe('three')
  })

  test('the first bytes of an upload arrive before the client has finished', async () => {
    const first = Promise.withResolvers<string>()
    here.behind.handle = (req, res) => {
      req.once('data', (chunk: Buffer) => first.resolve(chunk.toString()))
      void text(req).then((body) => res.end(String(body.length)))
    }
    const { sent, answer } = begin('/docling/v1/convert/file')
    sent.write('first')
    expect(await first.promise).toBe('first')
    sent.end(' and last')
    expect(await text(await answer)).toBe('14')
  })

  test('and a slow reader does not make the door hold the answer in memory', async () => {
    let written = 0
    const stalled = gate()
    here.behind.handle = (_req, res) => {
      const block = Buffer.alloc(MB)
      const more = (): void => {
        while (written < 128) {
          written += 1
          if (!res.write(block)) return
        }
        res.end()
      }
      res.on('drain', more)
      more()
      stalled.resolve()
    }
    const { sent, answer } = begin('/llm', { method: 'GET' })
    sent.end()
    const response = await answer
    await stalled.promise
    // Turns enough for all of it to come, if nobody held it back.
    for (let turn = 0; turn < 5_000; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(written).toBeLessThan(64)
    let bytes = 0
    for await (const chunk of response) bytes += (chunk as Buffer).length
    expect(bytes).toBe(128 * MB)
  })
})

describe('an answer keeps', () => {
  test('its status, its headers and every byte, packed or not', async () => {
    const packed = gzipSync('x'.repeat(10_000))
    here.behind.handle = (_req, res) => {
      res.writeHead(206, 'Some Of It', {
        'Content-Encoding': 'gzip',
        'Content-Type': 'application/octet-stream',
        'Content-Length': String(packed.length),
        ETag: 'W/"1"',
        'Set-Cookie': ['a=1; Path=/', 'b=2'],
        'Cache-Control': 'public, max-age=60',
        'X-Custom': 'kept',
      })
      res.end(packed)
    }
    const { sent, answer } = begin('/work/x', { method: 'GET', headers: { 'Accept-Encoding': 'gzip' } })
    sent.end()
    const response = await answer
    const bytes = Buffer.concat(await response.toArray())
    expect(bytes.equals(packed)).toBe(true)
    expect(gunzipSync(bytes).toString()).toBe('x'.repeat(10_000))
    expect(response.statusCode).toBe(206)
    expect(response.headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-length': String(packed.length),
      etag: 'W/"1"',
      'set-cookie': ['a=1; Path=/', 'b=2'],
      'cache-control': 'public, max-age=60',
      'x-custom': 'kept',
    })
  })

  test('none of the headers that concern the connection behind, nor the request id from there', async () => {
    here.behind.handle = (_req, res) => {
      res.writeHead(200, {
        Connection: 'keep-alive, X-Hop',
        'X-Hop': '1',
        'Keep-Alive': 'timeout=99',
        'Proxy-Authenticate': 'Basic',
        'X-Request-ID': 'not-ours',
      })
      res.end()
    }
    const { headers } = await get('/llm', {
      headers: { Authorization: `Bearer ${token}`, 'X-Request-ID': 'journey-1' },
    })
    expect(headers.get('x-request-id')).toBe('journey-1')
    expect(headers.get('x-hop')).toBeNull()
    expect(headers.get('proxy-authenticate')).toBeNull()
    expect(headers.get('keep-alive')).not.toContain('99')
  })

  test.each([204, 304])('its emptiness at %i', async (status) => {
    here.behind.handle = (_req, res) => res.writeHead(status, { ETag: '"1"' }).end()
    const response = await get('/llm')
    expect([response.status, response.headers.get('etag'), await response.text()]).toEqual([
      status,
      '"1"',
      '',
    ])
  })

  test('its headers alone when they were asked for with HEAD', async () => {
    here.behind.handle = (_req, res) => res.writeHead(200, { 'Content-Length': '12345' }).end()
    const response = await get('/docling/v1/x', { method: 'HEAD' })
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      '12345',
      '',
    ])
    expect(here.behind.arrivals[0]?.method).toBe('HEAD')
    expect((await get('/docling/v1/x', { method: 'HEAD' })).status).toBe(200)
  })
})

describe('a body of', () => {
  test.each(['GET', 'DELETE', 'PATCH'])(
    'unknown length stays inside its %s request: it cannot become a request of its own behind the door',
    async (method) => {
      const bodies: string[] = []
      here.behind.handle = (req, res) => {
        void text(req).then((body) => {
          bodies.push(body)
          res.end('ok')
        })
      }
      const smuggled = 'GET /v1/secret HTTP/1.1\r\nHost: x\r\n\r\n'
      const socket = connect(here.port, '127.0.0.1')
      socket.write(
        `${method} /data/v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
      )
      expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /)
      expect((await get('/data/v1/y')).status).toBe(200)
      expect(here.behind.arrivals.map(({ url }) => url)).toEqual(['/v1/x', '/v1/y'])
      expect(bodies[0]).toBe(smuggled)
    },
  )

  test('known length arrives with that length, and as many bytes', async () => {
    const bytes = Promise.withResolvers<number>()
    here.behind.handle = (req, res) => {
      void text(req).then((body) => {
        bytes.resolve(body.length)
        res.end()
      })
    }
    await get('/docling/v1/x', {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'text/csv' },
      body: 'x'.repeat(3 * MB),
    })
    expect(await bytes.promise).toBe(3 * MB)
    expect(here.behind.arrivals[0]?.headers).toMatchObject({
      'content-length': String(3 * MB),
      'content-type': 'text/csv',
    })
    expect(here.behind.arrivals[0]?.headers).not.toHaveProperty('transfer-encoding')
  })
})

describe('a body that is too large', () => {
  /** A real service with a limit of 1 MB. */
  const small = async (): Promise<() => Promise<void>> => {
    const config = z.object(serviceEnv({ port: 0 })).parse({ LOG_LEVEL: 'silent', SHUTDOWN_TIMEOUT_MS: '0' })
    const service = createService({
      name: 'small',
      config,
      auth: { authenticate: () => Promise.resolve(undefined) },
      routes: [
        route('POST', '/v1/x', {
          auth: open('a test'),
          summary: 'Takes little',
          input: { body: z.object({}) },
          handle: () => ({}),
        }),
      ],
    })
    const { port } = new URL(here.behind.url)
    await here.behind.close()
    await service.listen({ port: Number(port) })
    await service.start()
    return () => service.close()
  }

  test.each([true, false])(
    'for the service behind gets its 413 through the door, not a hang (declared: %s)',
    async (declared) => {
      const close = await small()
      const bytes = new Uint8Array(50 * MB)
      const response = await get('/data/v1/x', {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: declared ? bytes : new Blob([bytes]).stream(),
        ...(!declared && { duplex: 'half' }),
      })
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        413,
        'payload_too_large',
      ])
      await close()
    },
  )

  test('for the door itself is refused there: declared, before anything goes through', async () => {
    await here.close()
    here = await stand({ BODY_LIMIT_BYTES: String(MB) })
    token = await here.issuer.userToken('ann')
    const { sent, answer } = begin('/data/v1/x', { headers: { 'Content-Length': String(MB + 1) } })
    sent.flushHeaders()
    expect((await answer).statusCode).toBe(413)
    expect(here.behind.arrivals).toEqual([])
    sent.on('error', () => undefined).destroy()
  })

  test('for the door itself is refused there: of unknown length, as soon as it passes the limit', async () => {
    await here.close()
    here = await stand({ BODY_LIMIT_BYTES: String(MB) })
    token = await here.issuer.userToken('ann')
    const cut = Promise.withResolvers<unknown>()
    here.behind.handle = (req) => req.resume().once('error', cut.resolve)
    const { sent, answer } = begin('/data/v1/x')
    for (let block = 0; block < 20; block += 1) sent.write(Buffer.alloc(65_536)) // and it never ends
    const response = await answer
    expect(response.statusCode).toBe(413)
    expect(await text(response)).toContain('payload_too_large')
    await cut.promise
    sent.on('error', () => undefined).destroy()
  })

  test('does not keep the connection behind occupied', async () => {
    const gone = Promise.withResolvers<unknown>()
    here.behind.handle = (req, res) => {
      req.socket.once('close', gone.resolve)
      req.pause()
      res.writeHead(413).end('too much')
    }
    const { sent, answer } = begin('/data/v1/x')
    sent.write('begun')
    expect((await answer).statusCode).toBe(413)
    await gone.promise
    sent.on('error', () => undefined).destroy()
  })
})

describe('when the client goes away', () => {
  test('before the answer, the request behind is given up', async () => {
    const arrived = gate()
    const closed = Promise.withResolvers<boolean>()
    here.behind.handle = (_req, res) => {
      res.once('close', () => closed.resolve(res.writableFinished))
      arrived.resolve()
    }
    const { sent } = begin('/llm', { method: 'GET' })
    sent.on('error', () => undefined).end()
    await arrived.promise
    sent.destroy()
    expect(await closed.promise).toBe(false)
  })

  test('within the answer, the request behind is given up', async () => {
    const closed = Promise.withResolvers<boolean>()
    here.behind.handle = (_req, res) => {
      res.write('begun')
      res.once('close', () => closed.resolve(res.writableFinished))
    }
    const { sent, answer } = begin('/llm', { method: 'GET' })
    sent.end()
    const response = await answer
    response.on('error', () => undefined)
    await once(response, 'data')
    sent.destroy()
    expect(await closed.promise).toBe(false)
  })

  test('within its upload, the service behind sees a broken request, not a short one', async () => {
    const arrived = gate()
    const outcome = Promise.withResolvers<string>()
    here.behind.handle = (req) => {
      req.once('data', () => arrived.resolve())
      req.once('end', () => outcome.resolve('ended')).once('error', () => outcome.resolve('broken'))
    }
    const { sent } = begin('/docling/v1/convert/file')
    sent.on('error', () => undefined).write('half')
    await arrived.promise
    sent.destroy()
    expect(await outcome.promise).toBe('broken')
  })
})

describe('when the service behind', () => {
  test('is down, the answer is 503 with Retry-After and the request id, and the next one finds it up again', async () => {
    const { port } = new URL(here.behind.url)
    await here.behind.close()
    const down = await get('/data/v1/x')
    expect([down.status, down.headers.get('retry-after')]).toEqual([503, '1'])
    expect(down.headers.get('content-type')).toContain('application/problem+json')
    expect(await down.json()).toMatchObject({
      code: 'unavailable',
      request_id: down.headers.get('x-request-id'),
    })
    await listen(here.behind.server, Number(port))
    expect((await get('/data/v1/x')).status).toBe(200)
  })

  test('is down and the upload large, the client is told all the same', async () => {
    await here.behind.close()
    const response = await get('/docling/v1/x', {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: new Uint8Array(20 * MB),
    })
    expect(response.status).toBe(503)
  })

  test('cannot be asked because auth-service is down, the answer is 503 too', async () => {
    await here.auth.close()
    const response = await get('/data/v1/x')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(here.behind.arrivals).toEqual([])
  })

  test.each([
    ['with a length', { 'Content-Length': '100' }],
    ['without a length', {}],
  ])('dies in the middle of an answer %s, the client sees a broken connection', async (_name, headers) => {
    const seen = gate()
    here.behind.handle = (_req, res) => {
      res.writeHead(200, headers).write('half')
      void seen.promise.then(() => res.destroy())
    }
    const response = await get('/llm')
    expect(response.status).toBe(200)
    seen.resolve()
    await expect(response.text()).rejects.toThrow()
  })

  test('dies before the answer, the client gets 503', async () => {
    here.behind.handle = (_req, res) => res.destroy()
    expect((await get('/llm')).status).toBe(503)
  })

  test('is too slow, the client gets 504 and the request behind is given up', async () => {
    await here.close()
    here = await stand({ REQUEST_TIMEOUT_MS: '2000', CLIENT_TIMEOUT_MS: '1000' })
    token = await here.issuer.userToken('ann')
    const closed = gate()
    here.behind.handle = (_req, res) => void res.once('close', () => closed.resolve())
    const response = await get('/data/v1/x')
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([504, 'timeout'])
    await closed.promise
  })

  test.each([400, 401, 403, 404, 409, 429, 500, 502, 503])(
    'answers %i, that is passed on untouched',
    async (status) => {
      here.behind.handle = (_req, res) => res.writeHead(status, { 'Retry-After': '7' }).end('{"code":"own"}')
      const response = await get('/llm')
      expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([
        status,
        '7',
        '{"code":"own"}',
      ])
    },
  )

  test('sends a header that cannot be passed on, the client gets a clean 502', async () => {
    here.behind.handle = (req) => {
      req.socket.end(
        'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nX-Odd: a\x01b\r\nContent-Length: 2\r\n\r\nok',
      )
    }
    const response = await get('/llm')
    expect([502, 503]).toContain(response.status)
    expect(await response.json()).toMatchObject({ request_id: response.headers.get('x-request-id') })
  })
})
