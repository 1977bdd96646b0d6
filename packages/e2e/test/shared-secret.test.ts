import { randomBytes } from 'node:crypto'
import { startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, newUser } from '../src/user.ts'
import type { User } from '../src/user.ts'

let platform: Platform
let user: User

/** The settings as seed 002 names them. */
const SETTINGS = {
  JWT_ALGORITHM: 'HS256',
  JWT_SECRET_KEY: randomBytes(32).toString('base64url'),
  JWT_EXPIRATION_HOURS: '2',
  REFRESH_TOKEN_EXPIRATION_DAYS: '7',
  PASSWORD_POLICY: 'seed',
  LOG_LEVEL: 'warn',
}

beforeAll(async () => {
  platform = await startPlatform({ env: { ...process.env, ...SETTINGS } })
  user = await newUser(platform.services.gateway, 'Composed of 4 kinds!')
})
afterAll(() => platform.close())

describe('with JWT_ALGORITHM=HS256 and one JWT_SECRET_KEY', () => {
  it('tokens are signed with it, and carry an identity through several services', async () => {
    const [header = ''] = user.token.split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ alg: 'HS256' })
    const record = { id: 'r', data: { text: 'kept' } }
    const made = await user.ask('/data/v1/postgres/collections/notes/records', { json: record })
    expect(made.status, JSON.stringify(made.body)).toBe(201)
    const project = await user.ask('/work/api/projects', { json: { name: 'Through three services' } })
    expect(project.status, JSON.stringify(project.body)).toBe(201)
  })

  it('no key is published', async () => {
    const { body } = await ask(`${platform.services['auth-service']}/.well-known/jwks.json`)
    expect(body).toEqual({ keys: [] })
  })
})

describe('the variables of seed 002', () => {
  it('set the lives of tokens and the policy of passwords', async () => {
    const gateway = platform.services.gateway
    const username = 'composed'
    const password = 'Composed of 4 kinds!'
    const email = 'composed@example.test'
    const plain = await ask(`${gateway}/auth/register`, {
      json: { username, email, password: 'all in lower case words' },
    })
    expect(plain.status).toBe(400)
    await ask(`${gateway}/auth/register`, { json: { username, email, password } })
    const { body } = await ask(`${gateway}/auth/login`, { json: { username, password } })
    expect(body.expires_in).toBe(2 * 3600)
  })
})
