import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { ask } from '../src/user.ts'
import type { Answer } from '../src/user.ts'

const { services, accounts } = inject('platform')
const WRONG = 'certainly not the password'

/** An address of its own: that of this machine may be locked, by what other tests of the platform got wrong. */
const ELSEWHERE = { 'X-Forwarded-For': '198.51.100.7' }

let admin: Record<string, string>
/** Names to try, by what is behind them. */
const names: Record<string, string> = {}

async function newAccount(): Promise<{ username: string; id: string }> {
  const username = `reader-${randomBytes(6).toString('hex')}`
  const json = {
    username,
    email: `${username}@example.test`,
    password: randomBytes(18).toString('base64url'),
  }
  const { status, body } = await ask(`${services.gateway}/auth/register`, { json })
  expect(status, JSON.stringify(body)).toBe(201)
  return { username, id: String(body.user_id) }
}

beforeAll(async () => {
  const { username, password } = accounts.find(({ role }) => role === 'admin')!
  const { body } = await ask(`${services.gateway}/auth/login`, { json: { username, password } })
  admin = { Authorization: `Bearer ${String(body.access_token)}` }
  const [known, disabled] = [await newAccount(), await newAccount()]
  const path = `${services.gateway}/auth/admin/users/${disabled.id}`
  const done = await ask(path, { method: 'PATCH', json: { disabled: true }, headers: admin })
  expect(done.status, JSON.stringify(done.body)).toBe(200)
  Object.assign(names, {
    known: known.username,
    'known by e-mail': `${known.username}@example.test`,
    'in other letters': known.username.toUpperCase(),
    disabled: disabled.username,
    unknown: `nobody-${randomBytes(6).toString('hex')}`,
    'unknown by e-mail': `nobody-${randomBytes(6).toString('hex')}@example.test`,
    'of no form': `no body ${randomBytes(6).toString('hex')}`,
  })
})

/** All of an answer but what is new each time. */
function shape({ status, headers, body }: Answer): unknown {
  const { request_id: _request, trace_id: _trace, ...said } = body
  const names = [...headers.keys()].filter((name) => name !== 'ratelimit').sort()
  return { status, said, names, challenge: headers.get('www-authenticate') }
}

describe('a login with a wrong password', () => {
  it.each(['gateway', 'auth-service'] as const)(
    'is answered by %s in the same words, whoever the name belongs to',
    async (service) => {
      const shapes = new Map<string, string[]>()
      for (const [what, username] of Object.entries(names)) {
        const answer = await ask(`${services[service]}/auth/login`, {
          json: { username, password: WRONG },
          headers: ELSEWHERE,
        })
        expect(answer.status).toBe(401)
        const key = JSON.stringify(shape(answer))
        shapes.set(key, [...(shapes.get(key) ?? []), what])
      }
      expect([...shapes.values()]).toEqual([Object.keys(names)])
    },
  )
})
