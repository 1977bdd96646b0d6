import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { raw, stand } from './stand.ts'
import type { Stand } from './stand.ts'

let here: Stand
let bearer: string
beforeAll(async () => {
  here = await stand()
  bearer = `Authorization: Bearer ${await here.issuer.userToken('ann', { tenantId: 't1' })}`
})
beforeEach(() => {
  here.behind.arrivals.length = 0
  here.auth.arrivals.length = 0
  here.exchanges.length = 0
})
afterAll(() => here.close())

const status = (answer: string): number => Number(answer.split(' ')[1])

describe('who somebody says they are never gets through the door', () => {
  test.each([
    ['X-User-ID: canary'],
    ['x-user-id: canary'],
    ['X-USER-ID: canary'],
    ['X_User_ID: canary'],
    ['X-User_ID: canary'],
    ['X-User-ID: ann', 'X-User-ID: canary'],
    ['X-User-ID:', 'X_User_ID: canary'],
    ['X-User-ID: canary', 'Connection: X-User-ID'],
    ['X-User-Email: canary', 'X-User-Role: canary'],
    ['X-Tenant-ID: canary', 'X_Tenant_ID: canary'],
    ['X-Service-Name: canary', 'X_SERVICE_NAME: canary'],
    ['X-Service-Secret: canary'],
    ['X-Auth-User: canary', 'X-Auth-Request-Email: canary'],
    ['Txn-Token: canary'],
    ['X-Forwarded-User: canary', 'X-Forwarded-For: canary', 'Forwarded: for=canary'],
    ['Cookie: sid=canary'],
    ['Baggage: user=canary'],
    ['Proxy-Authorization: Basic canary'],
    ['X-Request-Timeout-Ms: canary'],
    ['TE: canary', 'Trailer: canary', 'Upgrade: canary', 'Keep-Alive: canary'],
  ])('%s', async (...headers) => {
    expect(status(await raw(here.port, 'GET /data/v1/x HTTP/1.1', bearer, ...headers))).toBe(200)
    const [arrival] = here.behind.arrivals
    expect(JSON.stringify(arrival)).not.toContain('canary')
    expect(arrival?.names.filter((name) => name.includes('_'))).toEqual([])
    expect(arrival?.headers).toMatchObject({
      authorization: 'Bearer obo-data_store',
      'x-user-id': 'ann',
      'x-tenant-id': 't1',
      'x-service-name': 'gateway',
    })
  })

  test.each([
    'Connection: X-User-ID, X-Tenant-ID, X-Service-Name, Authorization, X-Request-ID',
    'Connection: x-user-id',
    'Connection: close, X_User_ID',
  ])('nor does %s take away what the door stamps', async (connection) => {
    await raw(here.port, 'GET /data/v1/x HTTP/1.1', bearer, 'X-Request-ID: journey-1', connection)
    expect(here.behind.arrivals[0]?.headers).toMatchObject({
      authorization: 'Bearer obo-data_store',
      'x-user-id': 'ann',
      'x-tenant-id': 't1',
      'x-service-name': 'gateway',
      'x-request-id': 'journey-1',
      connection: 'keep-alive',
    })
  })

  test('each of them arrives once, and in one spelling', async () => {
    await raw(here.port, 'GET /data/v1/x HTTP/1.1', bearer, 'X-User-ID: a', 'x_user_id: b')
    const names = here.behind.arrivals[0]!.names.map((name) => name.toLowerCase())
    for (const name of ['authorization', 'x-user-id', 'x-tenant-id', 'x-service-name', 'x-request-id']) {
      expect(names.filter((sent) => sent === name)).toEqual([name])
    }
  })
})

describe('the credential', () => {
  test("is exchanged for the one service that is called: the user's own token goes no further", async () => {
    await raw(here.port, 'GET /docling/v1/x HTTP/1.1', bearer)
    expect(here.exchanges[0]?.get('audience')).toBe('docling')
    expect(`Authorization: Bearer ${here.exchanges[0]?.get('subject_token') ?? ''}`).toBe(bearer)
    expect(here.behind.arrivals[0]?.headers.authorization).toBe('Bearer obo-docling')
    expect(JSON.stringify(here.behind.arrivals)).not.toContain(bearer.slice(-40))
  })

  const refusals: [string, string, number, () => Promise<string[]>][] = [
    ['missing', 'unauthenticated', 401, () => Promise.resolve([])],
    [
      'expired',
      'invalid_token',
      401,
      async () => [`Authorization: Bearer ${await here.issuer.userToken('ann', { issuedAt: 1_000_000 })}`],
    ],
    [
      'for another audience',
      'invalid_token',
      401,
      async () => [`Authorization: Bearer ${await here.issuer.userToken('ann', { audience: 'elsewhere' })}`],
    ],
    [
      'on behalf of the user, as services have it',
      'invalid_token',
      401,
      async () => [
        `Authorization: Bearer ${await here.issuer.userToken('ann', { audience: 'docling', actors: ['gateway'] })}`,
      ],
    ],
    [
      'for the gateway itself, which nobody is given',
      'invalid_token',
      401,
      async () => [`Authorization: Bearer ${await here.issuer.userToken('ann', { audience: 'gateway' })}`],
    ],
    [
      'from another issuer',
      'invalid_token',
      401,
      async () => [
        `Authorization: Bearer ${await here.issuer.userToken('ann', { issuer: 'https://evil.test' })}`,
      ],
    ],
    [
      "a service's",
      'forbidden',
      403,
      async () => [`Authorization: Bearer ${await here.issuer.serviceToken('docling')}`],
    ],
    ['an API key', 'invalid_token', 401, () => Promise.resolve(['X-API-Key: wb_x'])],
    ['of two kinds', 'ambiguous_credentials', 400, () => Promise.resolve([bearer, 'X-API-Key: wb_x'])],
    ['sent twice', 'ambiguous_credentials', 400, () => Promise.resolve([bearer, bearer])],
    ['an identity header alone', 'unauthenticated', 401, () => Promise.resolve(['X-User-ID: ann'])],
  ]
  test.each(refusals)(
    'that is %s is refused as %s, and nothing goes through',
    async (_name, code, expected, headers) => {
      const answer = await raw(here.port, 'GET /data/v1/x HTTP/1.1', ...(await headers()))
      expect(status(answer)).toBe(expected)
      expect(answer).toContain(`"code":"${code}"`)
      expect(answer).toMatch(/"request_id":"[0-9a-f-]{36}"/)
      expect(answer.includes('WWW-Authenticate: Bearer')).toBe(expected === 401)
      expect(here.behind.arrivals).toEqual([])
      expect(here.exchanges).toEqual([])
    },
  )

  test('is refused without waiting for the body', async () => {
    const socket = connect(here.port, '127.0.0.1')
    socket.write('POST /docling/v1/convert/file HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\nfirst')
    const chunk = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    expect(chunk.toString()).toMatch(/^HTTP\/1.1 401 /)
    socket.destroy()
  })
})

describe('an open way in', () => {
  test.each(['/auth/register', '/auth/login', '/auth/refresh'])(
    '%s is passed with no identity and no credential, whatever was sent',
    async (path) => {
      const body = '{"a":1}'
      const answer = await text(
        (() => {
          const socket = connect(here.port, '127.0.0.1')
          socket.write(
            `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${bearer}\r\nX-User-ID: admin\r\n` +
              `X-Service-Name: gateway\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n${body}`,
          )
          return socket
        })(),
      )
      expect(status(answer)).toBe(200)
      expect(here.auth.arrivals[0]).toMatchObject({
        method: 'POST',
        url: path,
        headers: { 'x-user-id': '', 'x-tenant-id': '', 'x-service-name': '', 'content-length': '7' },
      })
      expect(here.auth.arrivals[0]?.headers).not.toHaveProperty('authorization')
      expect(here.exchanges).toEqual([])
    },
  )

  test('is just that way: what lies behind it needs a credential', async () => {
    for (const path of ['/auth/me', '/auth/login/x', '/auth/loginx', '/auth/logout', '/auth/login/../me']) {
      expect(status(await raw(here.port, `GET ${path} HTTP/1.1`))).toBe(401)
    }
    expect(here.auth.arrivals).toEqual([])
  })
})
