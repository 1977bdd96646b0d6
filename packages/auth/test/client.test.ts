import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json as readJson } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AuthClient } from '../src/client/index.ts'
import type { AuthClientError, AuthClientOptions, Tokens, TokenStore } from '../src/client/index.ts'

/** What auth-service promises, as far as a client can tell: rotation, the same successor for a while, a family that ends. */
interface Issuer {
  url: string
  /** `METHOD path` and what identified the caller, in order of arrival. */
  seen: string[]
  /** Access tokens that are good. */
  good: Set<string>
  /** The refresh token that is good, and the one before it, which gives the same successor. */
  refresh: { current: string; previous?: string } | undefined
  /** Answers in place of the issuer once, when set. */
  interrupt: ((req: IncomingMessage, res: ServerResponse) => void) | undefined
  /** How many refreshes have been answered. */
  generation: number
  user: string
  close(): Promise<void>
}

let issuer: Issuer
let now: number
const open: Server[] = []

beforeEach(async () => {
  now = 1_800_000_000_000
  issuer = await startIssuer()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((done) => server.close(done))))
})

async function listening(answer: (req: IncomingMessage, res: ServerResponse) => void): Promise<string> {
  const server = createServer((req, res) => answer(req, res.setHeader('Connection', 'close')))
  open.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startIssuer(): Promise<Issuer> {
  const state: Issuer = {
    ...{ url: '', seen: [], good: new Set(), refresh: undefined, interrupt: undefined, generation: 0 },
    user: 'u1',
    close: () => Promise.resolve(),
  }
  const send = (res: ServerResponse, status: number, body?: unknown) =>
    res
      .writeHead(status, { 'Content-Type': 'application/json', 'X-Request-ID': 'r-1' })
      .end(body && JSON.stringify(body))
  const session = (): unknown => {
    const access_token = `access-${String(state.generation)}-${String(state.good.size)}`
    state.good.add(access_token)
    const refresh_token = state.refresh?.current
    return {
      ...{ access_token, refresh_token, token_type: 'bearer', expires_in: 900, role: 'user' },
      user_id: state.user,
      username: 'ann',
    }
  }
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const credential = req.headers.authorization ?? req.headers['x-api-key'] ?? ''
    state.seen.push(`${req.method ?? ''} ${req.url ?? ''} ${String(credential)}`.trim())
    const { interrupt } = state
    if (interrupt) {
      state.interrupt = undefined
      interrupt(req, res)
      return
    }
    if (req.url === '/auth/login') {
      const { password } = (await readJson(req)) as { password: string }
      if (password !== 'right') return void send(res, 401, { code: 'invalid_credentials', detail: password })
      state.refresh = { current: 'refresh-0' }
      return void send(res, 200, session())
    }
    if (req.url === '/auth/refresh') {
      const { refresh_token } = (await readJson(req)) as { refresh_token: string }
      const { refresh } = state
      if (refresh_token === refresh?.current) {
        state.refresh = { current: `refresh-${String(++state.generation)}`, previous: refresh_token }
      } else if (refresh_token !== refresh?.previous) return void send(res, 401, { code: 'invalid_token' })
      return void send(res, 200, session())
    }
    const token = req.headers.authorization?.slice('Bearer '.length) ?? ''
    if (!state.good.has(token) && req.headers['x-api-key'] !== 'wb_key')
      return void send(res, 401, { code: 'invalid_token' })
    if (req.url === '/auth/logout') state.refresh = undefined
    if (req.url === '/auth/change-password') return void send(res, 401, { code: 'invalid_credentials' })
    send(res, 200, { token })
  }
  state.url = await listening((req, res) => void answer(req, res))
  return state
}

const clientOf = (options: Partial<AuthClientOptions> = {}) =>
  new AuthClient({ baseUrl: issuer.url, now: () => now, ...options })

async function loggedIn(options: Partial<AuthClientOptions> = {}): Promise<AuthClient> {
  const client = clientOf(options)
  await client.login('ann', 'right')
  issuer.seen.length = 0
  return client
}

const refused = (promise: Promise<unknown>): Promise<AuthClientError> =>
  promise.then(
    () => expect.fail('it went through'),
    (error: unknown) => error as AuthClientError,
  )

function sharedStore(): TokenStore & { kept: Tokens | undefined } {
  return {
    kept: undefined,
    get() {
      return this.kept
    },
    set(tokens) {
      this.kept = tokens
    },
  }
}

describe('logging in', () => {
  test('gives back what seed clients get, and requests carry the token from then on', async () => {
    const client = clientOf()
    expect(await client.login('ann', 'right')).toMatchObject({
      user_id: 'u1',
      expires_in: 900,
      token_type: 'bearer',
    })
    expect((await client.request('GET', '/auth/me')).status).toBe(200)
    expect(issuer.seen).toEqual(['POST /auth/login', 'GET /auth/me Bearer access-0-0'])
  })

  test('a refusal is an error with status, code and request id, and without the password', async () => {
    const error = await refused(clientOf().login('ann', 'a wrong password'))
    expect(error).toMatchObject({
      name: 'AuthClientError',
      status: 401,
      code: 'invalid_credentials',
      requestId: 'r-1',
    })
    expect(inspect(error)).not.toContain('a wrong password')
  })

  test('without a login a request goes without a credential', async () => {
    expect((await clientOf().request('GET', '/auth/me')).status).toBe(401)
    expect(issuer.seen).toEqual(['GET /auth/me'])
  })
})

describe('the session is renewed', () => {
  test('before the access token ends', async () => {
    const client = await loggedIn()
    now += 880_000
    expect((await client.request('GET', '/x')).status).toBe(200)
    expect(issuer.seen).toEqual(['POST /auth/refresh', 'GET /x Bearer access-1-1'])
  })

  test('once for twenty requests at the same time', async () => {
    const client = await loggedIn()
    now += 900_000
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.request('GET', '/x')))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(issuer.seen.filter((call) => call === 'POST /auth/refresh')).toHaveLength(1)
  })

  test('on a 401, after which the request is sent once more, body and all', async () => {
    const client = await loggedIn()
    issuer.good.clear()
    const answer = await client.request('POST', '/x', { json: { a: 1 } })
    expect(answer.status).toBe(200)
    expect(issuer.seen).toEqual([
      'POST /x Bearer access-0-0',
      'POST /auth/refresh',
      'POST /x Bearer access-1-0',
    ])
  })

  test('once for requests that are refused at the same time', async () => {
    const client = await loggedIn()
    issuer.good.clear()
    await Promise.all(Array.from({ length: 8 }, () => client.request('GET', '/x')))
    expect(issuer.seen.filter((call) => call === 'POST /auth/refresh')).toHaveLength(1)
  })

  test('a server that says 401 for ever is asked twice, not for ever', async () => {
    const client = await loggedIn()
    issuer.good.has = () => false
    expect((await client.request('GET', '/x')).status).toBe(401)
    expect(issuer.seen.filter((call) => call.startsWith('GET /x'))).toHaveLength(2)
  })

  test('a wrong password in the body is not tried twice', async () => {
    const client = await loggedIn()
    const answer = await client.request('POST', '/auth/change-password', { json: {} })
    expect([answer.status, await answer.json()]).toEqual([401, { code: 'invalid_credentials' }])
    expect(issuer.seen).toHaveLength(1)
  })

  test('a stream is not sent twice: its 401 is given back', async () => {
    const client = await loggedIn()
    issuer.good.clear()
    const answer = await client.request('POST', '/x', { body: new Blob(['once']).stream() })
    expect([answer.status, issuer.seen.length]).toEqual([401, 1])
  })
})

describe('a session ends', () => {
  test('when the server refuses to renew it: a typed error, and nothing is kept', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    issuer.refresh = undefined
    const error = await refused(client.refresh())
    expect(error).toMatchObject({ code: 'session_over', status: 401, requestId: 'r-1' })
    expect(inspect(error)).not.toContain('refresh-0')
    expect(store.kept).toBeUndefined()
  })

  test('not when the network fails, nor when the server is busy', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    issuer.interrupt = (req) => req.socket.destroy()
    await expect(client.refresh()).rejects.toThrow(TypeError)
    issuer.interrupt = (_req, res) => void res.writeHead(503).end()
    expect(await refused(client.refresh())).toMatchObject({ code: 'unknown', status: 503 })
    expect(store.kept?.refreshToken).toBe('refresh-0')
    await client.refresh()
    expect(store.kept?.refreshToken).toBe('refresh-1')
  })

  test('not for requests, as long as the old token is good and the issuer is away', async () => {
    const client = await loggedIn()
    now += 880_000
    issuer.interrupt = (req) => req.socket.destroy()
    expect((await client.request('GET', '/x')).status).toBe(200)
    expect(issuer.seen).toEqual(['POST /auth/refresh', 'GET /x Bearer access-0-0'])
  })

  test('at logout, on the server and here', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    await client.logout()
    expect([issuer.seen, issuer.refresh, store.kept]).toEqual([
      ['POST /auth/logout Bearer access-0-0'],
      undefined,
      undefined,
    ])
    await client.logout()
  })

  test('at logout even when the server cannot be reached, and the caller hears of it', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    issuer.interrupt = (req) => req.socket.destroy()
    await expect(client.logout()).rejects.toThrow(TypeError)
    expect(store.kept).toBeUndefined()
  })

  test('and a renewal that was under way does not bring it back', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    let answer: (() => void) | undefined
    const asked = new Promise<void>((arrived) => {
      issuer.interrupt = (_req, res) => {
        answer = () =>
          res
            .writeHead(200, { 'Content-Type': 'application/json' })
            .end(
              JSON.stringify({ access_token: 'late', refresh_token: 'late', expires_in: 900, user_id: 'u1' }),
            )
        arrived()
      }
    })
    const renewal = refused(client.refresh())
    await asked
    await client.logout()
    answer!()
    expect(await renewal).toMatchObject({ code: 'session_over' })
    expect(store.kept).toBeUndefined()
  })
})

describe('two tabs with one store', () => {
  test('renew at the same time and both go on', async () => {
    const store = sharedStore()
    const [one, two] = [await loggedIn({ store }), clientOf({ store })]
    now += 900_000
    const answers = await Promise.all([one.request('GET', '/x'), two.request('GET', '/x')])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(store.kept?.refreshToken).toBe('refresh-1')
  })

  test('one that comes too late with a spent token takes what the other has put there', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    issuer.interrupt = (_req, res) => {
      store.kept = {
        ...store.kept!,
        accessToken: 'of-the-other-tab',
        refreshToken: 'refresh-of-the-other-tab',
      }
      issuer.good.add('of-the-other-tab')
      res.writeHead(401).end('{}')
    }
    await client.refresh()
    await client.request('GET', '/x')
    expect(issuer.seen.at(-1)).toBe('GET /x Bearer of-the-other-tab')
  })

  test('a token that the other tab has renewed is used without renewing again', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    issuer.interrupt = (_req, res) => {
      store.kept = { ...store.kept!, accessToken: 'newer' }
      issuer.good.add('newer')
      res.writeHead(401).end('{}')
    }
    expect((await client.request('GET', '/x')).status).toBe(200)
    expect(issuer.seen).toEqual(['GET /x Bearer access-0-0', 'GET /x Bearer newer'])
  })

  test('a request of one user is never repeated in the name of another who logged in meanwhile', async () => {
    const store = sharedStore()
    const client = await loggedIn({ store })
    issuer.interrupt = (_req, res) => {
      store.kept = { ...store.kept!, userId: 'u2', accessToken: 'of-u2' }
      res.writeHead(401).end('{}')
    }
    expect((await client.request('POST', '/x', { json: {} })).status).toBe(401)
    expect(issuer.seen).toHaveLength(1)
  })
})

describe('credentials stay with the base URL', () => {
  test.each([
    'https://evil.test/x',
    '//evil.test/x',
    'x',
    '@evil.test/',
    '.evil.test/',
    'http://127.0.0.1:1/x',
    '',
  ])('a request to %j is refused before anything is sent', async (path) => {
    const client = await loggedIn()
    const error = await refused(client.request('GET', path))
    expect(error).toMatchObject({ code: 'foreign_origin', status: 0 })
    expect(issuer.seen).toEqual([])
  })

  test('a full URL of the same origin is fine, and a base URL may have a path', async () => {
    const client = await loggedIn()
    expect((await client.request('GET', `${issuer.url}/x`)).status).toBe(200)
    await clientOf({ baseUrl: `${issuer.url}/api/` }).request('GET', '/x')
    expect(issuer.seen.at(-1)).toBe('GET /api/x')
  })

  test.each([301, 302, 303, 307, 308])(
    'a %i is not followed, with a session or an API key',
    async (status) => {
      const visitors: string[] = []
      const elsewhere = await listening((req, res) => {
        visitors.push(inspect(req.headers))
        res.end()
      })
      const clients = [await loggedIn(), clientOf({ apiKey: 'wb_key' })]
      for (const client of clients) {
        issuer.interrupt = (_req, res) => void res.writeHead(status, { Location: elsewhere }).end()
        expect(await refused(client.request('GET', '/x'))).toMatchObject({ code: 'redirect_refused', status })
      }
      expect(visitors).toEqual([])
    },
  )

  test('a login is not redirected either', async () => {
    issuer.interrupt = (_req, res) => void res.writeHead(307, { Location: 'http://127.0.0.1:1/' }).end()
    expect(await refused(clientOf().login('ann', 'right'))).toMatchObject({ code: 'redirect_refused' })
  })
})

describe('an API key', () => {
  test('is sent in place of a session, alone', async () => {
    const answer = await clientOf({ apiKey: 'wb_key' }).request('GET', '/x')
    expect([answer.status, issuer.seen]).toEqual([200, ['GET /x wb_key']])
  })

  test('is not renewed, and has nothing to log in to', async () => {
    const client = clientOf({ apiKey: 'wb_wrong' })
    expect((await client.request('GET', '/x')).status).toBe(401)
    expect(await refused(client.login('ann', 'right'))).toMatchObject({ code: 'wrong_credential' })
    expect(await refused(client.refresh())).toMatchObject({ code: 'wrong_credential' })
    expect(issuer.seen).toHaveLength(1)
  })
})
