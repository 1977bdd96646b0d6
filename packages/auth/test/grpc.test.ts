import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { status } from '@grpc/grpc-js'
import { Problem, PROBLEMS, requestContext, runInContext, Secret } from '@waybill/service-kit'
import type { ProblemCode, RequestContext } from '@waybill/service-kit'
import { describe, expect, test, vi } from 'vitest'
import { createGrpcServer, createStamp } from '../src/grpc/index.ts'
import { createCredentialVerifier } from '../src/index.ts'
import { CLAIMS, forge, verifier } from './forge.ts'
import { CONFIG, definition, grpcStand, things } from './grpc-stand.ts'
import type { Handle } from './grpc-stand.ts'

const GOOD = { authorization: `Bearer ${forge()}` }
const who: Handle = ({ principal, requestId }) =>
  Promise.resolve({ principal, requestId, fromContext: requestContext()?.requestId })

describe('a caller', () => {
  test('is the Principal of its credential, in the handler and in the context', async () => {
    await using stand = await grpcStand(who)
    const { code, value } = await stand.call({ metadata: { ...GOOD, 'x-request-id': 'r-1' } })
    expect(code).toBe(status.OK)
    expect(value).toMatchObject({
      principal: { kind: 'user', userId: 'u1', via: 'jwt' },
      requestId: 'r-1',
      fromContext: 'r-1',
    })
  })

  test.each([
    ['no credential', {}, status.UNAUTHENTICATED, 'unauthenticated', 'Bearer realm="waybill"'],
    [
      'a bad token',
      { authorization: 'Bearer x' },
      status.UNAUTHENTICATED,
      'invalid_token',
      'error="invalid_token"',
    ],
    [
      'an API key where none is accepted',
      { 'x-api-key': 'wb_x' },
      status.UNAUTHENTICATED,
      'invalid_token',
      'error="invalid_token"',
    ],
    [
      'a permission too few',
      { authorization: `Bearer ${forge({ ...CLAIMS, scope: 'tasks.read' })}` },
      status.PERMISSION_DENIED,
      'insufficient_permission',
      'scope="memory.read"',
    ],
    [
      'two kinds of credential',
      { ...GOOD, 'x-api-key': 'wb_x' },
      status.INVALID_ARGUMENT,
      'ambiguous_credentials',
      undefined,
    ],
    [
      'another user id',
      { ...GOOD, 'x-user-id': 'u2' },
      status.UNAUTHENTICATED,
      'identity_header_mismatch',
      'error="invalid_token"',
    ],
    [
      'another user id by an alias',
      { ...GOOD, x_user_id: 'u2' },
      status.UNAUTHENTICATED,
      'identity_header_mismatch',
      'error="invalid_token"',
    ],
    [
      'a service name',
      { ...GOOD, 'x-service-name': 'gateway' },
      status.UNAUTHENTICATED,
      'identity_header_mismatch',
      'error="invalid_token"',
    ],
    [
      'a tenant',
      { ...GOOD, 'x-tenant-id': 't' },
      status.UNAUTHENTICATED,
      'identity_header_mismatch',
      'error="invalid_token"',
    ],
  ])(
    'with %s is refused, with the code, the challenge and the request id',
    async (_, metadata, code, problem, challenge) => {
      await using stand = await grpcStand(who)
      const answer = await stand.call({ metadata: { ...metadata, 'x-request-id': 'r-2' } })
      expect({ code: answer.code, value: answer.value }).toEqual({ code, value: undefined })
      expect(answer.trailers).toMatchObject({ code: problem, 'x-request-id': 'r-2' })
      if (challenge === undefined) expect(answer.trailers).not.toHaveProperty('www-authenticate')
      else expect(answer.trailers['www-authenticate']).toContain(challenge)
    },
  )

  test('whose identity metadata agrees with its credential passes', async () => {
    await using stand = await grpcStand(who)
    const metadata = { ...GOOD, 'x-user-id': 'u1', 'x-tenant-id': '', 'x-service-name': '' }
    expect((await stand.call({ metadata })).code).toBe(status.OK)
  })

  test('of an open method is looked at not at all', async () => {
    await using stand = await grpcStand(() => Promise.resolve('in'))
    const answer = await stand.call({ method: 'Free', metadata: { authorization: 'Bearer x' } })
    expect(answer).toMatchObject({ code: status.OK, value: 'in' })
  })

  test.each([
    [
      'authorization',
      [
        ['authorization', GOOD.authorization],
        ['authorization', 'Bearer other'],
      ],
    ],
    [
      'x-api-key',
      [
        ['x-api-key', 'wb_a'],
        ['x-api-key', 'wb_b'],
      ],
    ],
  ] as [string, [string, string][]][])(
    'that sends %s twice is refused, although node shows one',
    async (_, headers) => {
      await using stand = await grpcStand(who)
      const answer = await stand.raw(headers)
      expect(answer).toMatchObject({
        'grpc-status': String(status.INVALID_ARGUMENT),
        code: 'ambiguous_credentials',
      })
    },
  )

  test('that says its user id twice is refused, even when both are right', async () => {
    await using stand = await grpcStand(who)
    const answer = await stand.raw([
      ['authorization', GOOD.authorization],
      ['x-user-id', 'u1'],
      ['x-user-id', 'u1'],
    ])
    expect(answer).toMatchObject({ code: 'identity_header_mismatch' })
  })

  test('sees what it sent itself, and not what another call on the same connection sent', async () => {
    await using stand = await grpcStand(who)
    const calls = Array.from({ length: 20 }, (_, at) =>
      stand.call({ metadata: { ...(at % 2 === 0 && GOOD), 'x-request-id': `c-${String(at)}` } }),
    )
    for (const [at, { code, metadata, trailers }] of (await Promise.all(calls)).entries()) {
      expect(code).toBe(at % 2 === 0 ? status.OK : status.UNAUTHENTICATED)
      expect({ ...metadata, ...trailers }).toMatchObject({ 'x-request-id': `c-${String(at)}` })
    }
  })
})

describe('the request id', () => {
  test.each(['has space', 'x'.repeat(65), 'a{b}'])('%j is replaced', async (sent) => {
    await using stand = await grpcStand(who)
    const { metadata, value } = await stand.call({ metadata: { ...GOOD, 'x-request-id': sent } })
    expect(metadata['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(value).toMatchObject({ requestId: metadata['x-request-id'] })
  })

  test('that was sent twice is replaced', async () => {
    await using stand = await grpcStand(who)
    const answer = await stand.raw([
      ['authorization', GOOD.authorization],
      ['x-request-id', 'a'],
      ['x-request-id', 'b'],
    ])
    expect(answer['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('what goes wrong', () => {
  const EXPECTED: Partial<Record<ProblemCode, status>> = {
    validation_failed: status.INVALID_ARGUMENT,
    invalid_token: status.UNAUTHENTICATED,
    forbidden: status.PERMISSION_DENIED,
    not_found: status.NOT_FOUND,
    conflict: status.ALREADY_EXISTS,
    precondition_failed: status.FAILED_PRECONDITION,
    payload_too_large: status.RESOURCE_EXHAUSTED,
    rate_limited: status.RESOURCE_EXHAUSTED,
    client_closed: status.CANCELLED,
    not_implemented: status.UNIMPLEMENTED,
    unavailable: status.UNAVAILABLE,
    timeout: status.DEADLINE_EXCEEDED,
    internal: status.INTERNAL,
    upstream_failed: status.INTERNAL,
  }
  test.each(Object.entries(EXPECTED) as [ProblemCode, status][])(
    '%s is the status %i',
    async (problem, code) => {
      await using stand = await grpcStand(() => Promise.reject(new Problem(problem, 'Said so.')))
      const answer = await stand.call({ metadata: GOOD })
      expect(answer).toMatchObject({ code, trailers: { code: problem } })
    },
  )

  test('every problem there is has a status that is no success', async () => {
    for (const problem of Object.keys(PROBLEMS) as ProblemCode[]) {
      await using stand = await grpcStand(() => Promise.reject(new Problem(problem, 'Said so.')))
      expect((await stand.call({ metadata: GOOD })).code).not.toBe(status.OK)
    }
  })

  test('unforeseen is INTERNAL, and its message stays inside', async () => {
    await using stand = await grpcStand(() => Promise.reject(new Error('canary of the inside')))
    const answer = await stand.call({ metadata: GOOD })
    expect(answer.code).toBe(status.INTERNAL)
    expect(JSON.stringify(answer)).not.toContain('canary')
    expect(stand.lines().some((line) => JSON.stringify(line).includes('canary'))).toBe(true)
  })

  test('when a message has another form names the field', async () => {
    await using stand = await grpcStand(who)
    const answer = await stand.call({ metadata: GOOD, message: { name: 1 } })
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { code: 'validation_failed' } })
    expect(answer.details).toContain('body.name')
  })

  test('a message that is larger than BODY_LIMIT_BYTES is refused', async () => {
    await using stand = await grpcStand(who)
    const answer = await stand.call({ metadata: GOOD, message: { name: 'x'.repeat(5000) } })
    expect(answer.code).toBe(status.RESOURCE_EXHAUSTED)
  })

  test('nobody without a credential gets a message read: a bad one is UNAUTHENTICATED', async () => {
    await using stand = await grpcStand(who)
    expect((await stand.call({ message: { unknown: true } })).code).toBe(status.UNAUTHENTICATED)
  })

  test('Retry-After goes along', async () => {
    const busy = new Problem('unavailable', 'Busy.', { headers: { 'Retry-After': '7' } })
    await using stand = await grpcStand(() => Promise.reject(busy))
    expect((await stand.call({ metadata: GOOD })).trailers['retry-after']).toBe('7')
  })

  test('credentials are in no line of the log', async () => {
    await using stand = await grpcStand(who)
    const token = forge().replace(/.{10}$/, 'AAAAAAAAAA')
    await stand.call({ metadata: { authorization: `Bearer ${token}` } })
    await stand.call({ metadata: { 'x-api-key': 'wb_canary' } })
    const log = JSON.stringify(stand.lines())
    expect(log).not.toContain(token.split('.')[1])
    expect(log).not.toContain('wb_canary')
  })
})

describe('a call', () => {
  test('leaves one line in the log, with who and how it ended', async () => {
    await using stand = await grpcStand(who)
    await stand.call({ metadata: { ...GOOD, 'x-request-id': 'logged' } })
    await vi.waitFor(() => {
      const lines = stand.lines().filter(({ msg }) => msg === 'request')
      expect(lines).toMatchObject([
        { rpc: 'test.Things/Read', status: 'OK', request_id: 'logged', user_id: 'u1' },
      ])
    })
  })

  test('hands its deadline on: the context knows it, and work is aborted by it', async () => {
    const reason = Promise.withResolvers<unknown>()
    let left = Number.POSITIVE_INFINITY
    await using stand = await grpcStand(({ signal }) => {
      signal.addEventListener('abort', () => reason.resolve((signal.reason as Problem).code))
      left = requestContext()!.deadline - Date.now()
      return new Promise(() => undefined)
    })
    // A client that only says how long it waits, and does not give up by itself.
    const answer = await stand.raw([
      ['authorization', GOOD.authorization],
      ['grpc-timeout', '200m'],
    ])
    expect(answer['grpc-status']).toBe(String(status.DEADLINE_EXCEEDED))
    expect(left).toBeLessThanOrEqual(200)
    expect(await reason.promise).toBe('timeout')
  })

  test('without a deadline has that of REQUEST_TIMEOUT_MS', async () => {
    await using stand = await grpcStand(() => new Promise(() => undefined), {
      config: { REQUEST_TIMEOUT_MS: 100 },
    })
    const answer = await stand.call({ metadata: GOOD })
    expect(answer).toMatchObject({ code: status.DEADLINE_EXCEEDED, trailers: { code: 'timeout' } })
  })

  test('that the client cancels is aborted', async () => {
    let cancel = (): void => undefined
    const reason = Promise.withResolvers<unknown>()
    await using stand = await grpcStand(({ signal }) => {
      signal.addEventListener('abort', () => reason.resolve((signal.reason as Problem).code))
      cancel()
      return new Promise(() => undefined)
    })
    const answer = await stand.call({ metadata: GOOD }, (given) => (cancel = given))
    expect(answer.code).toBe(status.CANCELLED)
    expect(await reason.promise).toBe('client_closed')
    await vi.waitFor(() => {
      expect(stand.lines()).toContainEqual(expect.objectContaining({ status: 'CANCELLED', aborted: true }))
    })
  })

  test('under way finishes while the server closes, and no other begins', async () => {
    const begun = Promise.withResolvers<undefined>()
    const go = Promise.withResolvers<undefined>()
    await using stand = await grpcStand(async () => {
      begun.resolve(undefined)
      await go.promise
      return 'finished'
    })
    const call = stand.call({ metadata: GOOD })
    await begun.promise
    const closed = stand.server.close()
    const late = await stand.call({ metadata: GOOD, options: { deadline: Date.now() + 2_000 } })
    expect(late.code).toBe(status.UNAVAILABLE)
    go.resolve(undefined)
    expect(await call).toMatchObject({ code: status.OK, value: 'finished' })
    await closed
  })

  test('that does not end is cut off after SHUTDOWN_TIMEOUT_MS', async () => {
    const begun = Promise.withResolvers<undefined>()
    await using stand = await grpcStand(
      () => {
        begun.resolve(undefined)
        return new Promise(() => undefined)
      },
      { config: { SHUTDOWN_TIMEOUT_MS: 50 } },
    )
    const call = stand.call({ metadata: GOOD })
    await begun.promise
    await stand.server.close()
    expect((await call).code).not.toBe(status.OK)
  })
})

describe('a server', () => {
  const options = async () => ({
    credentials: createCredentialVerifier({ verifier: await verifier() }),
    log: (await import('@waybill/service-kit')).createLogger({ service: 'x', level: 'silent' }),
    config: CONFIG,
    methods: things(() => Promise.resolve({})),
  })

  test('with a method that has no guard is not made', async () => {
    const definitionWithMore = definition('Read', 'Free', 'Forgotten')
    const made = async () => createGrpcServer({ ...(await options()), definition: definitionWithMore })
    await expect(made()).rejects.toThrow('The method /test.Things/Forgotten has no guard.')
  })

  test('with a guard for a method that there is not is not made', async () => {
    const made = async () => createGrpcServer({ ...(await options()), definition: definition('Read') })
    await expect(made()).rejects.toThrow('The service has no method test.Things/Free.')
  })

  test.each([
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    '\0'.repeat(100),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff',
  ])('ends a connection that is no gRPC, and goes on: %j', async (bytes) => {
    await using stand = await grpcStand(who)
    const socket = connect(stand.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined).resume()
    socket.end(Buffer.from(bytes, 'latin1'))
    await closed
    expect((await stand.call({ metadata: GOOD })).code).toBe(status.OK)
  })

  test('takes no more calls at once than it says', async () => {
    let underWay = 0
    let most = 0
    const handle: Handle = async () => {
      most = Math.max(most, (underWay += 1))
      await new Promise(setImmediate)
      underWay -= 1
      return {}
    }
    await using stand = await grpcStand(handle, { config: { GRPC_MAX_CONCURRENT_CALLS: 2 } })
    // The first one waits for the settings of the server.
    await stand.call({ metadata: GOOD })
    const answers = await Promise.all(Array.from({ length: 12 }, () => stand.call({ metadata: GOOD })))
    expect(answers.every(({ code }) => code === status.OK)).toBe(true)
    expect(most).toBeLessThanOrEqual(2)
  })

  test('on a port that is taken says so by code', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const server = createGrpcServer({ ...(await options()), definition: definition('Read', 'Free') })
    await expect(server.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await server.close()
    other.close()
  })
})

describe('the stamp of a client', () => {
  const context = (deadline = Date.now() + 60_000): RequestContext => ({
    requestId: 'r-9',
    log: undefined as never, // nothing is logged here
    deadline,
    signal: new AbortController().signal,
    principal: { kind: 'user', userId: 'u1', role: 'user', permissions: [], actors: [], via: 'jwt' },
    credential: { type: 'access-token', secret: new Secret('subject') },
  })
  const acting = forge({ ...CLAIMS, act: { sub: 'docling' } })
  const stamp = createStamp({ self: 'docling', token: () => Promise.resolve(acting) })

  test('says who calls, for whom, under which request id, until when', async () => {
    let left = 0
    await using stand = await grpcStand(
      (input) => {
        left = requestContext()!.deadline - Date.now()
        return who(input)
      },
      { interceptors: [stamp] },
    )
    const answer = await runInContext(context(Date.now() + 3_000), () => stand.call())
    expect(answer.value).toMatchObject({ requestId: 'r-9', principal: { userId: 'u1', actors: ['docling'] } })
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(3_000)
  })

  test('replaces what the caller set of it, in every spelling', async () => {
    await using stand = await grpcStand(who, { interceptors: [stamp] })
    const metadata = {
      authorization: 'Bearer x',
      'x-api-key': 'k',
      x_user_id: 'root',
      'x-user-id': 'root',
      'x-request-id': 'mine',
      baggage: 'a=b',
    }
    const answer = await runInContext(context(), () => stand.call({ metadata }))
    expect(answer).toMatchObject({
      code: status.OK,
      value: { requestId: 'r-9', principal: { userId: 'u1' } },
    })
  })

  test('without a token to be had fails the call with why, and sends nothing', async () => {
    const without = createStamp({
      self: 'docling',
      token: () => Promise.reject(new Problem('unavailable', 'auth-service cannot be reached.')),
    })
    await using stand = await grpcStand(who, { interceptors: [without] })
    const answer = await stand.call()
    expect(answer).toMatchObject({ code: status.UNAVAILABLE, details: 'auth-service cannot be reached.' })
    expect(stand.lines()).toEqual([])
  })

  test('that cannot be written as metadata fails the call, and not the process', async () => {
    await using stand = await grpcStand(who, { interceptors: [stamp] })
    const foreign = context()
    foreign.principal = { ...foreign.principal!, tenantId: 'Zürich' }
    const answer = await runInContext(foreign, () => stand.call())
    expect(answer).toMatchObject({ code: status.INTERNAL, details: 'Something went wrong on our side.' })
    expect(stand.lines()).toEqual([])
  })

  test('whose token source throws at once fails the call like one that rejects', async () => {
    const throwing = createStamp({
      self: 'docling',
      token: () => {
        throw new Problem('unavailable', 'auth-service cannot be reached.')
      },
    })
    await using stand = await grpcStand(who, { interceptors: [throwing] })
    expect(await stand.call()).toMatchObject({ code: status.UNAVAILABLE })
  })
})
