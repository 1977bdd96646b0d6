import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { createLogger, Problem } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HttpClient } from '../src/index.ts'
import { client, createThing, getThing, issuer, recorder, serving, THING, thrown } from './stand.ts'
import type { Issuer, Recorder } from './stand.ts'

let auth: Issuer
let neighbour: Recorder
let http: HttpClient
beforeEach(async () => {
  auth = await issuer()
  http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_RETRIES: '0' })
})
afterEach(async () => {
  await http.close()
  await Promise.all([auth.close(), neighbour.close()])
})

/** What the caller meets when the neighbour does `answer`. */
async function meeting(answer: Parameters<typeof recorder>[0], context = {}): Promise<unknown> {
  neighbour = await recorder(answer)
  return thrown(serving(() => http.internal('llm-proxy', neighbour.url).call(getThing, THING), context))
}

describe('what a neighbour answers', () => {
  test.each<[number, object, string]>([
    [400, { code: 'validation_failed', detail: 'name: is too long' }, 'validation_failed'],
    [403, { code: 'insufficient_permission', detail: 'memory.read is missing.' }, 'insufficient_permission'],
    [404, { code: 'not_found', detail: 'No thing 7.' }, 'not_found'],
    [409, { code: 'conflict', detail: 'There is one already.' }, 'conflict'],
    [413, { code: 'payload_too_large', detail: 'Too much.' }, 'payload_too_large'],
    [429, { code: 'rate_limited', detail: 'Slow down.' }, 'rate_limited'],
  ])('%i keeps its status, code and detail', async (status, body, code) => {
    const error = await meeting((_request, res) => {
      res.writeHead(status, { 'Retry-After': '7' }).end(JSON.stringify(body))
    })
    expect(error).toMatchObject({ status, code, message: (body as { detail: string }).detail })
    expect((error as Problem).headers['Retry-After']).toBe('7')
  })

  test.each([
    [400, 'not JSON', 'bad_request', 400],
    [404, JSON.stringify({ code: 'conflict' }), 'not_found', 404],
    [404, JSON.stringify({ code: 'constructor' }), 'not_found', 404],
    [401, JSON.stringify({ code: 'invalid_token', detail: 'canary' }), 'upstream_failed', 502],
    [401, JSON.stringify({ code: 'identity_header_mismatch', detail: 'canary' }), 'upstream_failed', 502],
    [402, '{}', 'bad_request', 400],
    [405, JSON.stringify({ code: 'method_not_allowed', detail: 'canary' }), 'upstream_failed', 502],
    [415, JSON.stringify({ code: 'unsupported_media_type', detail: 'canary' }), 'upstream_failed', 502],
    [500, JSON.stringify({ code: 'internal', detail: 'canary' }), 'upstream_failed', 502],
    [502, '', 'upstream_failed', 502],
    [501, '{}', 'upstream_failed', 502],
    [504, '{}', 'timeout', 504],
    [302, '', 'upstream_failed', 502],
    [200, 'not JSON', 'upstream_failed', 502],
    [200, '{"id":7}', 'upstream_failed', 502],
  ])('%i %s becomes %s', async (status, body, code, ours) => {
    const error = await meeting((_request, res) => res.writeHead(status, { Location: '/x' }).end(body))
    expect(error).toMatchObject({ code, status: ours, downstreamStatus: status === 200 ? undefined : status })
    expect(String(error)).not.toContain('canary')
  })

  test('503 stays 503, with the Retry-After that it came with or one second', async () => {
    const told = await meeting((_request, res) => res.writeHead(503, { 'Retry-After': '9' }).end())
    expect(told).toMatchObject({ code: 'unavailable', headers: { 'Retry-After': '9' } })
    await neighbour.close()
    const untold = await meeting((_request, res) => res.writeHead(503).end())
    expect(untold).toMatchObject({ code: 'unavailable', headers: { 'Retry-After': '1' } })
  })

  test('an answer that is empty where nothing was promised is fine', async () => {
    neighbour = await recorder((_request, res) => res.writeHead(204).end())
    const { output: _output, ...silent } = createThing
    const call = serving(() =>
      http.internal('llm-proxy', neighbour.url).call(silent, { body: { name: 'x' } }),
    )
    expect(await call).toBeUndefined()
  })
})

describe('a token that the neighbour does not accept', () => {
  /** Takes only tokens whose number is at least `first`. */
  const accepting = (first: number) =>
    recorder((request, res) => {
      const number = Number(/\d+$/.exec(request.headers.authorization ?? '')?.[0])
      if (number >= first) res.end('{}')
      else {
        res
          .writeHead(401, { 'WWW-Authenticate': 'Bearer realm="waybill", error="invalid_token"' })
          .end(JSON.stringify({ code: 'invalid_token', detail: 'An unknown key.' }))
      }
    })
  const create = () =>
    serving(() => http.internal('llm-proxy', neighbour.url).call(createThing, { body: { name: 'x' } }))

  test('is replaced, and the call is made once more, even a POST: nothing was done yet', async () => {
    neighbour = await accepting(2)
    expect(await create()).toEqual({})
    expect(neighbour.requests.map(({ body }) => body)).toEqual(['{"name":"x"}', '{"name":"x"}'])
    await create()
    expect([neighbour.requests.length, auth.requests.length]).toEqual([3, 2])
  })

  test('is tried no third time, and the user, whose token is fine, meets 502', async () => {
    neighbour = await accepting(Number.POSITIVE_INFINITY)
    expect(await thrown(create())).toMatchObject({ code: 'upstream_failed', downstreamStatus: 401 })
    expect([neighbour.requests.length, auth.requests.length]).toEqual([2, 2])
  })

  test('leaves it to auth-service to say that the user’s own is not valid any more', async () => {
    await auth.close()
    let isRevoked = false
    const token = { access_token: 't-1', token_type: 'Bearer', expires_in: 300, scope: '' }
    const asked = await recorder((_request, res) => {
      if (isRevoked) res.writeHead(400).end('{"error":"invalid_grant"}')
      else res.end(JSON.stringify(token))
      isRevoked = true
    })
    auth = { ...asked, asked: () => [] }
    http = client({ AUTH_SERVICE_URL: auth.url })
    neighbour = await accepting(2)
    expect(await thrown(create())).toMatchObject({ code: 'invalid_token', status: 401 })
  })

  test('is the user’s to mend where it is the user’s own', async () => {
    neighbour = await accepting(2)
    http = client({ PROPAGATION_MODE: 'passthrough', PASSTHROUGH_HOSTS: '127.0.0.1' })
    expect(await thrown(create())).toMatchObject({ code: 'invalid_token', message: 'An unknown key.' })
    expect(neighbour.requests).toHaveLength(1)
  })

  test('is not kept for the next request that is sent on; the answer to this one is passed back', async () => {
    neighbour = await accepting(2)
    const statuses = []
    for (let turn = 0; turn < 3; turn += 1) {
      const { status, body } = await serving(() =>
        http.internal('llm-proxy', neighbour.url).forward({ method: 'POST', path: '/', headers: {} }),
      )
      body.resume()
      statuses.push(status)
    }
    expect(statuses).toEqual([401, 200, 200])
    expect(auth.requests).toHaveLength(2)
  })

  test('is kept when the 401 is one that the neighbour passes on: it speaks of another credential', async () => {
    const challenges: Record<string, string>[] = [{}, { 'WWW-Authenticate': 'Bearer realm="elsewhere"' }]
    neighbour = await recorder((_request, res) => res.writeHead(401, challenges.pop()).end())
    const llmProxy = http.internal('llm-proxy', neighbour.url)
    for (const _turn of [1, 2, 3]) {
      const { status, body } = await serving(() =>
        llmProxy.forward({ method: 'POST', path: '/', headers: {} }),
      )
      body.resume()
      expect(status).toBe(401)
    }
    expect(auth.requests).toHaveLength(1)
  })
})

describe('an answer that is too long', () => {
  test('is 502, and no more of it is read', async () => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_MAX_ANSWER_BYTES: '1024' })
    const closed = Promise.withResolvers<boolean>()
    const error = await meeting((_request, res) => {
      // Never ends: only giving it up can close the connection.
      res.once('close', () => closed.resolve(true)).write('x'.repeat(1_025))
    })
    expect(error).toMatchObject({ code: 'upstream_failed', message: expect.stringContaining('1024 bytes') })
    expect(await closed.promise).toBe(true)
  })

  test('is read to the end when it has just the most that is allowed', async () => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_MAX_ANSWER_BYTES: '1024' })
    neighbour = await recorder((_request, res) => res.end(JSON.stringify({ id: 'x'.repeat(1_024 - 9) })))
    const thing = await serving(() => http.internal('llm-proxy', neighbour.url).call(getThing, THING))
    expect(thing.id).toHaveLength(1_015)
  })
})

describe('a neighbour that does not answer', () => {
  test('because nobody listens, is 503 with Retry-After', async () => {
    neighbour = await recorder()
    await neighbour.close()
    for (const url of [neighbour.url, neighbour.url.replace('127.0.0.1', 'localhost')]) {
      const error = await thrown(serving(() => http.internal('llm-proxy', url).call(getThing, THING)))
      expect(error).toMatchObject({ code: 'unavailable', status: 503, headers: { 'Retry-After': '1' } })
    }
  })

  test('because its name is not known, is 503', async () => {
    neighbour = await recorder()
    const error = await thrown(
      serving(() => http.internal('llm-proxy', 'http://no-such-host.invalid').call(getThing, THING)),
    )
    expect(error).toMatchObject({ code: 'unavailable' })
  })

  test('because the connection breaks, before or in the middle of the answer, is 503', async () => {
    const before = await meeting((_request, res) => res.destroy())
    expect(before).toMatchObject({ code: 'unavailable', headers: { 'Retry-After': '1' } })
    await neighbour.close()
    const within = await meeting((_request, res) => {
      res.writeHead(200, { 'Content-Length': '100' })
      res.write('{"id":', () => res.destroy())
    })
    expect(within).toMatchObject({ code: 'unavailable' })
  })

  test('because it speaks something else, is 503', async () => {
    const odd = createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve))
    neighbour = await recorder()
    const { port } = odd.address() as { port: number }
    const error = await thrown(
      serving(() => http.internal('llm-proxy', `http://127.0.0.1:${String(port)}`).call(getThing, THING)),
    )
    expect(error).toMatchObject({ code: 'unavailable' })
    odd.close()
  })

  test.each([
    ['never begins', () => undefined],
    [
      'begins and never ends',
      (_request: unknown, res: { write: (text: string) => unknown }) => void res.write('{'),
    ],
  ])('because it %s, is 504 when the time of the call is up', async (_name, answer) => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_TIMEOUT_MS: '1000' })
    expect(await meeting(answer)).toMatchObject({ code: 'timeout', status: 504 })
    await neighbour.close()
    neighbour = await recorder(answer)
    // Outside any request nothing but the call's own time could end it.
    const housekeeping = http.internal('llm-proxy', neighbour.url).call(getThing, THING)
    expect(await thrown(housekeeping)).toMatchObject({ code: 'timeout' })
  })

  test("is 504 when the caller's own time is up, and nothing is sent once it is", async () => {
    const error = await meeting(() => undefined, { deadline: Date.now() + 1_000 })
    expect(error).toMatchObject({ code: 'timeout' })
    expect(Number(neighbour.requests[0]?.headers['x-request-timeout-ms'])).toBeLessThanOrEqual(1_000)
    await neighbour.close()
    expect(await meeting(undefined, { deadline: Date.now() - 1 })).toMatchObject({ code: 'timeout' })
    expect(neighbour.requests).toHaveLength(0)
  })

  test('is given up when the caller goes away, and its connection is closed', async () => {
    const abort = new AbortController()
    const gone = Promise.withResolvers<boolean>()
    const error = await meeting(
      (_request, res) => {
        res.once('close', () => gone.resolve(true))
        abort.abort(new Problem('client_closed', 'gone'))
      },
      { signal: abort.signal },
    )
    expect(error).toMatchObject({ code: 'client_closed' })
    expect(await gone.promise).toBe(true)
  })

  test('to the exchange does not make the call wait longer than its own time', async () => {
    const silent = await recorder(() => undefined)
    http = client({ AUTH_SERVICE_URL: silent.url })
    neighbour = await recorder()
    const call = serving(() =>
      http.internal('llm-proxy', neighbour.url).call(getThing, { ...THING, timeoutMs: 100 }),
    )
    expect(await thrown(call)).toMatchObject({ code: 'timeout' })
    await silent.close()
  })
})

describe('a redirect', () => {
  test('is not followed: where it leads gets nothing', async () => {
    const sink = await recorder()
    for (const status of [301, 302, 303, 307, 308]) {
      const error = await meeting((_request, res) => res.writeHead(status, { Location: sink.url }).end())
      expect(error).toMatchObject({ code: 'upstream_failed' })
      await neighbour.close()
    }
    neighbour = await recorder((_request, res) => res.writeHead(307, { Location: sink.url }).end())
    const { status, headers, body } = await serving(() =>
      http.internal('llm-proxy', neighbour.url).forward({ method: 'GET', path: '/', headers: {} }),
    )
    body.resume()
    expect({ status, location: headers.location }).toEqual({ status: 307, location: sink.url })
    expect(sink.requests).toHaveLength(0)
    await sink.close()
  })
})

describe('trying again', () => {
  /** A neighbour that is unavailable for its first `failures` requests. */
  const recovering = (failures: number, how: (res: ServerResponse) => void) => {
    let left = failures
    return recorder((_request, res) => {
      if (left === 0) res.end('{}')
      else {
        left -= 1
        how(res)
      }
    })
  }

  test.each<[string, (res: ServerResponse) => void]>([
    ['503', (res) => res.writeHead(503).end()],
    ['502', (res) => res.writeHead(502).end()],
    ['a broken connection', (res) => res.destroy()],
  ])('happens after %s when the call may be made twice', async (_name, how) => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_RETRIES: '2' })
    neighbour = await recovering(2, how)
    expect(await serving(() => http.internal('llm-proxy', neighbour.url).call(getThing, THING))).toEqual({})
    expect(neighbour.requests).toHaveLength(3)
  })

  test('happens with the same request id and the token that is there already', async () => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_RETRIES: '2' })
    neighbour = await recovering(1, (res) => res.writeHead(503).end())
    await serving(() => http.internal('llm-proxy', neighbour.url).call(getThing, THING))
    const ids = neighbour.requests.map(({ headers }) => [headers['x-request-id'], headers.authorization])
    expect(ids[0]).toEqual(ids[1])
    expect(auth.requests).toHaveLength(1)
  })

  test('never happens for a POST, unless the caller says that twice is harmless', async () => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_RETRIES: '2' })
    neighbour = await recovering(1, (res) => res.writeHead(503).end())
    const create = (idempotent?: boolean) =>
      serving(() =>
        http
          .internal('llm-proxy', neighbour.url)
          .call(createThing, { body: { name: 'x' }, ...(idempotent && { idempotent }) }),
      )
    await thrown(create())
    expect(neighbour.requests).toHaveLength(1)
    await neighbour.close()
    neighbour = await recovering(1, (res) => res.writeHead(503).end())
    await create(true)
    expect(neighbour.requests).toHaveLength(2)
  })

  test.each([400, 404, 409, 429, 500, 504])('never happens after %i', async (status) => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_RETRIES: '5' })
    await meeting((_request, res) => res.writeHead(status).end())
    expect(neighbour.requests).toHaveLength(1)
  })

  test('stops at the limit, and spends no more than the budget that all calls share', async () => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_RETRIES: '3' })
    neighbour = await recorder((_request, res) => res.writeHead(503).end())
    const proxy = http.internal('llm-proxy', neighbour.url)
    await thrown(serving(() => proxy.call(getThing, THING)))
    expect(neighbour.requests).toHaveLength(4)
    for (let call = 0; call < 30; call += 1) await thrown(serving(() => proxy.call(getThing, THING)))
    // 31 first tries, ten retries saved up, and a fifth of one more for each try.
    expect(neighbour.requests.length).toBeLessThanOrEqual(31 + 10 + 31 / 5)
  })
})

describe('whatever fails, no token shows', () => {
  const printed = (error: unknown): string => {
    const lines: string[] = []
    const log = createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })
    log.error({ err: error }, 'failed')
    const { stack } = error as Error
    return [
      inspect(error, { depth: 20, showHidden: true }),
      JSON.stringify(error),
      String(error),
      stack,
      ...lines,
    ].join()
  }

  test.each<[string, Parameters<typeof recorder>[0]]>([
    ['refused', (_request, res) => res.writeHead(403).end('{}')],
    ['failed', (_request, res) => res.writeHead(500).end('{}')],
    ['busy', (_request, res) => res.writeHead(503).end('{}')],
    ['broken before the answer', (_request, res) => res.destroy()],
    [
      'broken within the answer',
      (_request, res) => {
        res.writeHead(200, { 'Content-Length': '9' })
        res.write('{', () => res.destroy())
      },
    ],
    ['too slow', () => undefined],
    ['too slow within the answer', (_request, res) => void res.write('{')],
  ])('%s', async (_name, answer) => {
    http = client({ AUTH_SERVICE_URL: auth.url, CLIENT_TIMEOUT_MS: '1000', CLIENT_RETRIES: '0' })
    const error = await meeting(answer)
    expect(neighbour.requests[0]?.headers.authorization).toContain('canary')
    expect(printed(error)).not.toContain('canary')
  })

  test('in the error of a stream that breaks while it is being passed on', async () => {
    const abort = new AbortController()
    neighbour = await recorder((_request, res) => void res.write('half'))
    const { body } = await serving(
      () => http.internal('llm-proxy', neighbour.url).forward({ method: 'GET', path: '/', headers: {} }),
      { signal: abort.signal },
    )
    const failed = Promise.withResolvers<unknown>()
    body.once('error', failed.resolve).resume()
    abort.abort()
    expect(printed(await failed.promise)).not.toContain('canary')
  })

  test('in the error of a header that cannot be sent', async () => {
    neighbour = await recorder()
    const principal = {
      kind: 'user',
      userId: 'canary\nX: y',
      role: 'user',
      permissions: [],
      actors: [],
      via: 'jwt',
    } as const
    const error = await thrown(
      serving(() => http.internal('llm-proxy', neighbour.url).call(getThing, THING), { principal }),
    )
    expect(error).not.toMatchObject({ code: 'unavailable' })
    expect(printed(error)).not.toContain('canary')
  })
})

describe('connections', () => {
  test('are kept and used again', async () => {
    neighbour = await recorder()
    const proxy = http.internal('llm-proxy', neighbour.url)
    for (let call = 0; call < 10; call += 1) await serving(() => proxy.call(getThing, THING))
    expect(neighbour.connections()).toBe(1)
    expect(auth.connections()).toBe(1)
  })

  test('that a neighbour lost by starting anew are made again', async () => {
    neighbour = await recorder()
    const proxy = http.internal('llm-proxy', neighbour.url)
    await serving(() => proxy.call(getThing, THING))
    await neighbour.close()
    expect(await thrown(serving(() => proxy.call(getThing, THING)))).toMatchObject({ code: 'unavailable' })
    const { port } = new URL(neighbour.url)
    await new Promise<void>((resolve) => neighbour.server.listen(Number(port), '127.0.0.1', resolve))
    expect(await serving(() => proxy.call(getThing, THING))).toEqual({})
  })
})
