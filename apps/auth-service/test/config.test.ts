import { randomBytes } from 'node:crypto'
import { loadConfig } from '@waybill/service-kit'
import { expect, it } from 'vitest'
import { configSchema, withPortAlias } from '../src/config.ts'

const GOOD = {
  DATABASE_URL: 'postgresql://a:b@127.0.0.1/c',
  SIGNING_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  SERVICE_CLIENTS: JSON.stringify({ gateway: 'a'.repeat(64) }),
}
const load = (change: Record<string, string>) => loadConfig(configSchema, { ...GOOD, ...change })

it('has the lifetimes and limits of seed 002', () => {
  expect(load({})).toMatchObject({
    PORT: 8005,
    JWT_EXPIRATION_HOURS: 24,
    REFRESH_TOKEN_EXPIRATION_DAYS: 30,
    LOGIN_LIMIT_PER_MINUTE: 5,
    REGISTRATION_LIMIT_PER_HOUR: 3,
  })
})

it('AUTH_PORT stands for PORT, which wins where both are set', () => {
  expect(loadConfig(configSchema, withPortAlias({ ...GOOD, AUTH_PORT: '9005' })).PORT).toBe(9005)
  expect(loadConfig(configSchema, withPortAlias({ ...GOOD, AUTH_PORT: '9005', PORT: '1' })).PORT).toBe(1)
  expect(() => loadConfig(configSchema, withPortAlias({ ...GOOD, AUTH_PORT: 'x' }))).toThrow(/AUTH_PORT: /)
})

it.each([
  ['SIGNING_KEY_ENCRYPTION_KEY', ''],
  ['SIGNING_KEY_ENCRYPTION_KEY', 'planted'],
  ['SIGNING_KEY_ENCRYPTION_KEY', randomBytes(31).toString('base64')],
  ['SIGNING_KEY_ENCRYPTION_KEY', randomBytes(32).toString('hex')],
  ['SIGNING_KEY_ENCRYPTION_KEY', Buffer.alloc(32).toString('base64')],
  ['SERVICE_CLIENTS', ''],
  ['SERVICE_CLIENTS', 'planted'],
  ['SERVICE_CLIENTS', '["planted"]'],
  ['SERVICE_CLIENTS', '{"gateway":"planted-secret"}'],
  ['SERVICE_CLIENTS', `{"planted secret":"${'a'.repeat(64)}"}`],
  ['SERVICE_CLIENTS', `{"gateway":[]}`],
  ['JWT_EXPIRATION_HOURS', '26'],
  ['JWT_EXPIRATION_HOURS', '0'],
  ['SUPABASE_AUDIENCE', 'gateway'],
  ['SUPABASE_AUDIENCE', 'waybill'],
])('%s=%j is refused by name, and not quoted', (variable, value) => {
  const attempt = () => load({ [variable]: value })
  expect(attempt).toThrow(variable)
  if (value.length > 2) expect(attempt).not.toThrow(value)
  expect(attempt).not.toThrow('planted')
})
