import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { ErrorRequestHandler } from 'express'
import { afterEach, expect, test } from 'vitest'
import { Problem, protect } from '../src/index.ts'
import type { Authenticate, UserPrincipal } from '../src/index.ts'
import { anybody, ask, writer } from './stand.ts'

let close: () => void = () => undefined
afterEach(() => {
  close()
})

const principal: UserPrincipal = {
  kind: 'user',
  userId: 'ann',
  role: 'user',
  permissions: ['things.write'],
  actors: [],
  via: 'jwt',
}

/** An application of somebody else's, with one guarded route, one open one, and an error handler of its own. */
async function application(authenticate: Authenticate): Promise<string> {
  const handled: ErrorRequestHandler = (error: Error, _req, res, _next) =>
    void res.status(500).json({ theirs: error.message })
  const app = express()
    .get('/things', protect(authenticate, writer), (_req, res) => void res.json(res.locals.principal))
    .get('/open', protect(authenticate, anybody), (_req, res) => void res.json({ open: true }))
    .use(handled)
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () => server.close()
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
}

test.each<[string, Authenticate]>([
  ['at once', () => ({ principal })],
  ['after a while', () => Promise.resolve({ principal })],
])(
  'a caller who is known %s and passes the guard reaches the route, as a Principal',
  async (_, authenticate) => {
    const answer = await ask(`${await application(authenticate)}/things`)
    expect([answer.status, answer.body]).toEqual([200, principal])
  },
)

const weak = { principal: { ...principal, permissions: [] } }
const bad = new Problem('invalid_token', 'The token has expired.')

test.each<[string, Authenticate, number, string | null]>([
  ['nobody', () => undefined, 401, 'Bearer realm="waybill"'],
  ['somebody with too little', () => Promise.resolve(weak), 403, 'insufficient_scope'],
  [
    'a bad credential, thrown',
    () => {
      throw bad
    },
    401,
    'invalid_token',
  ],
  ['a bad credential, rejected', () => Promise.reject(bad), 401, 'invalid_token'],
])('%s is answered with a problem and a challenge', async (_, authenticate, status, challenge) => {
  const answer = await ask(`${await application(authenticate)}/things`)
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toContain('application/problem+json')
  expect(answer.headers.get('www-authenticate')).toContain(challenge)
})

test('what nobody foresaw goes to the error handler of the application', async () => {
  const answer = await ask(`${await application(() => Promise.reject(new Error('a fault')))}/things`)
  expect([answer.status, answer.body]).toEqual([500, { theirs: 'a fault' }])
})

test('an open guard looks at no credential', async () => {
  const asked = await ask(`${await application(() => Promise.reject(bad))}/open`)
  expect([asked.status, asked.body]).toEqual([200, { open: true }])
})
