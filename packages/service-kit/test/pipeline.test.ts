import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Problem, reply, route } from '../src/index.ts'
import { anybody, ask, dial, json, stand, STRONG, writer } from './stand.ts'

const thing = z.object({ name: z.string().min(1), size: z.number().int(), tags: z.array(z.string()).max(2) })
let handled = 0

const createThing = route('POST', '/v1/things/:kind', {
  auth: writer,
  summary: 'Create a thing',
  input: {
    params: z.object({ kind: z.enum(['box', 'bag']) }),
    query: z.object({ dry: z.stringbool().optional() }),
    body: thing,
  },
  output: z.object({ kind: z.string(), name: z.string(), dry: z.boolean().optional() }),
  status: 201,
  handle({ params, query, body }) {
    handled += 1
    return { kind: params.kind, name: body.name, ...query, secret: 'never shown' }
  },
})
const thrower = (path: string, error: unknown) =>
  route('GET', path, {
    auth: anybody,
    summary: 'Throws',
    handle: () => {
      throw error
    },
  })
const GOOD = { name: 'crate', size: 3, tags: [] }

describe('a route lets in', () => {
  test('whoever may, with what it takes, and answers what it promised and nothing more', async () => {
    await using here = await stand([createThing])
    const { status, headers, body } = await ask(`${here.url}/v1/things/box?dry=true`, json(GOOD))
    expect({ status, body }).toEqual({ status: 201, body: { kind: 'box', name: 'crate', dry: true } })
    expect(headers.get('cache-control')).toBe('private, no-store')
    expect(headers.get('x-powered-by')).toBeNull()
  })

  test('nobody without a credential: 401 before one byte of the body is read', async () => {
    await using here = await stand([createThing])
    const before = handled
    const socket = dial(here.port)
    socket.write(
      'POST /v1/things/box HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n',
    )
    const answer = await socket.answer
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
    expect(answer).toMatch(/^WWW-Authenticate: Bearer realm="waybill"\r$/im)
    expect(handled).toBe(before)
    socket.hangUp()
  })

  test('nobody with too little: 403 with the permission, before the body is read', async () => {
    await using here = await stand([createThing])
    const socket = dial(here.port)
    socket.write(
      'POST /v1/things/nonsense HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer weak\r\nContent-Length: 1000\r\n\r\n',
    )
    const answer = await socket.answer
    expect(answer).toMatch(/^HTTP\/1.1 403 /)
    expect(answer).toContain('error="insufficient_scope", scope="things.write"')
    socket.hangUp()
  })

  test('nobody with a bad credential, and says invalid_token (RFC 6750 section 3.1)', async () => {
    await using here = await stand([createThing])
    const { status, headers, body } = await ask(
      `${here.url}/v1/things/box`,
      json(GOOD, { Authorization: 'Bearer bad' }),
    )
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'invalid_token' })
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
  })
})

describe('a wrong request is answered with', () => {
  test('400 and every field that is wrong, without quoting a value', async () => {
    await using here = await stand([createThing])
    const wrong = { name: '', size: 'canary', tags: ['canary', 'canary', 'canary'], extra: 'canary' }
    const { status, body } = await ask(`${here.url}/v1/things/canary?dry=canary`, json(wrong))
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'validation_failed' })
    const errors = body.errors as { in: string; path: string }[]
    expect(errors.map((error) => `${error.in}.${error.path}`).sort()).toEqual(
      ['body.name', 'body.size', 'body.tags', 'params.kind', 'query.dry'].sort(),
    )
    expect(JSON.stringify(body)).not.toContain('canary')
  })

  test.each([
    ['not JSON', '{"name":'],
    ['two values', '{} {}'],
    ['nothing but space', ' '],
  ])('400 invalid_json for %s', async (_name, body) => {
    await using here = await stand([createThing])
    const answer = await ask(`${here.url}/v1/things/box`, { ...json({}), body })
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 400, code: 'invalid_json' })
  })

  test.each([
    ['no body', undefined],
    ['null', 'null'],
    ['a list', '[]'],
    ['a string', '"crate"'],
  ])('400 validation_failed for %s where an object belongs', async (_name, body) => {
    await using here = await stand([createThing])
    const init = { ...json({}), body: body ?? null }
    const answer = await ask(`${here.url}/v1/things/box`, init)
    expect({ status: answer.status, code: answer.body.code }).toEqual({
      status: 400,
      code: 'validation_failed',
    })
  })

  test('and null is no object, even where every member may be left out', async () => {
    const patch = route('PATCH', '/v1/patch', {
      auth: anybody,
      summary: 'All optional',
      input: { body: z.object({ name: z.string().optional() }) },
      handle: () => ({}),
    })
    await using here = await stand([patch])
    const answer = await ask(`${here.url}/v1/patch`, { ...json(null), method: 'PATCH' })
    expect(answer.status).toBe(400)
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])(
    '415 for a body of type %j',
    async (type) => {
      await using here = await stand([createThing])
      const body = new Blob(['{}'])
      const headers = { ...STRONG, ...(type && { 'Content-Type': type }) }
      const { status } = await ask(`${here.url}/v1/things/box`, { method: 'POST', headers, body })
      expect(status).toBe(415)
    },
  )

  test('415 for an encoding that is not known, 400 for one that is not what it says', async () => {
    await using here = await stand([createThing])
    const unknown = await ask(
      `${here.url}/v1/things/box`,
      json(GOOD, { ...STRONG, 'Content-Encoding': 'rot13' }),
    )
    const broken = await ask(
      `${here.url}/v1/things/box`,
      json(GOOD, { ...STRONG, 'Content-Encoding': 'gzip' }),
    )
    expect([unknown.status, broken.status]).toEqual([415, 400])
  })

  test('404 for an unknown path, 405 with Allow for a known path under another method', async () => {
    await using here = await stand([createThing, thrower('/v1/things/:kind', new Error())])
    expect((await ask(`${here.url}/v1/thing`)).body).toMatchObject({ status: 404, code: 'not_found' })
    const wrong = await ask(`${here.url}/v1/things/box`, { method: 'DELETE' })
    expect(wrong.body).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(wrong.headers.get('allow')).toBe('POST, GET, HEAD')
    expect((await ask(`${here.url}/livez`, { method: 'POST' })).headers.get('allow')).toBe('GET, HEAD')
  })

  test('400 for a path that cannot be decoded, with the request id', async () => {
    await using here = await stand([createThing])
    const { status, body } = await ask(`${here.url}/v1/things/%E0%A4%A`, json(GOOD))
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'bad_request' })
    expect(body.request_id).toMatch(/.{36}/)
  })

  test('a problem document that says status, code, title and request id, and repeats the title as error', async () => {
    await using here = await stand([thrower('/v1/gone', new Problem('not_found', 'No thing 42.'))])
    const { status, headers, body } = await ask(`${here.url}/v1/gone`)
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(body).toEqual({
      type: 'urn:waybill:problem:not_found',
      title: 'Not found',
      status,
      detail: 'No thing 42.',
      code: 'not_found',
      error: 'Not found',
      request_id: headers.get('x-request-id'),
    })
  })
})

describe('HEAD and OPTIONS', () => {
  const read = route('GET', '/v1/things', { auth: anybody, summary: 'Read', handle: () => ({ a: 1 }) })

  test('HEAD is answered as GET, without a body', async () => {
    await using here = await stand([read])
    const response = await fetch(`${here.url}/v1/things`, { method: 'HEAD' })
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      '7',
      '',
    ])
    const lost = await fetch(`${here.url}/nowhere`, { method: 'HEAD' })
    expect([lost.status, await lost.text()]).toEqual([404, ''])
  })

  test('OPTIONS tells the methods of a path, and 404 where there is none (RFC 9110 section 9.3.7)', async () => {
    await using here = await stand([read, createThing])
    const response = await fetch(`${here.url}/v1/things`, { method: 'OPTIONS' })
    expect([response.status, response.headers.get('allow')]).toEqual([204, 'GET, HEAD'])
    expect((await fetch(`${here.url}/nowhere`, { method: 'OPTIONS' })).status).toBe(404)
  })
})

describe('what a handler does wrong stays inside', () => {
  test.each([
    ['an error', new Error('canary: column "ssn" does not exist')],
    ['a string', 'canary'],
    ['nothing', undefined],
    ['an object', { canary: true, status: 400 }],
    ["a vendor's error with a status of its own", Object.assign(new Error('canary'), { status: 400 })],
    ['a Problem of code internal', new Problem('internal', 'canary')],
  ])('%s that is thrown becomes 500 internal', async (_name, error) => {
    await using here = await stand([thrower('/v1/broken', error)])
    const { status, body } = await ask(`${here.url}/v1/broken`)
    expect({ status, code: body.code }).toEqual({ status: 500, code: 'internal' })
    expect(JSON.stringify(body)).not.toContain('canary')
    expect(body.request_id).toMatch(/.{36}/)
  })

  test('but the log has it', async () => {
    await using here = await stand([thrower('/v1/broken', new Error('column does not exist'))])
    await ask(`${here.url}/v1/broken`)
    expect(here.log.lines()).toContainEqual(
      expect.objectContaining({
        level: 'error',
        err: expect.objectContaining({ message: 'column does not exist' }),
      }),
    )
  })

  test('an answer of the wrong form is 500 without details, from reply() too', async () => {
    const output = z.object({ n: z.number() })
    const spec = { auth: anybody, summary: 'Wrong', output }
    const wrong = { n: 'canary' } as unknown as { n: number } // as from a database that was not asked
    await using here = await stand([
      route('GET', '/v1/a', { ...spec, handle: () => wrong }),
      route('GET', '/v1/b', { ...spec, handle: () => reply(201, wrong) }),
    ])
    for (const path of ['/v1/a', '/v1/b']) {
      const { status, body } = await ask(here.url + path)
      expect(status).toBe(500)
      expect(JSON.stringify(body)).not.toMatch(/canary|form/)
    }
  })

  test('headers that described the answer that failed are not on the problem', async () => {
    const failing = route('GET', '/v1/fails', {
      auth: anybody,
      summary: 'Fails late',
      handle: ({ res }) => {
        res.set({ 'Content-Encoding': 'gzip', 'Content-Length': '3', ETag: '"x"', 'Set-Cookie': 'sid=1' })
        throw new Error('late')
      },
    })
    await using here = await stand([failing])
    const { status, headers } = await ask(`${here.url}/v1/fails`)
    expect(status).toBe(500)
    expect([headers.get('content-encoding'), headers.get('etag'), headers.get('set-cookie')]).toEqual([
      null,
      null,
      null,
    ])
  })

  test('an error body in another protocol keeps status and headers', async () => {
    const other = route('GET', '/v1/other', {
      auth: writer,
      summary: 'Another protocol',
      renderProblem: ({ code, request_id }) => ({ error: { type: code, request_id } }),
      handle: () => ({}),
    })
    await using here = await stand([other])
    const { status, headers, body } = await ask(`${here.url}/v1/other`)
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toContain('Bearer')
    expect(body).toEqual({ error: { type: 'unauthenticated', request_id: headers.get('x-request-id') } })
  })
})
