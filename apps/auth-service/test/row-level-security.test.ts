import { lintRowSecurity, openDatabase } from '@waybill/database'
import type { Database } from '@waybill/database'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { configSchema } from '../src/config.ts'
import type { Schema } from '../src/store/schema.ts'
import { startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

let setting: Setting
let database: Database<Schema>
let alice: Session
let bob: Session
beforeAll(async () => {
  setting = await startSetting()
  database = openDatabase<Schema>({
    config: loadConfig(configSchema, setting.environment),
    migrations: new URL('../migrations/', import.meta.url),
    log: createLogger({ service: 'auth-service', level: 'silent' }),
  })
  await database.start()
  alice = await setting.newUser()
  bob = await setting.newUser()
})
afterAll(async () => {
  await database.close()
  await setting.close()
})

/** The first column of what a statement gives in a request of `who`. */
async function as(who: Session, statement: string, permissions: string[] = []): Promise<unknown[]> {
  const principal: UserPrincipal = {
    ...{ kind: 'user', userId: who.user_id, role: 'user', permissions, actors: [], via: 'jwt' },
  }
  const { rows } = await database.withPrincipal(principal, (tx) =>
    sql<Record<string, unknown>>`${sql.raw(statement)}`.execute(tx),
  )
  return rows.map((row) => Object.values(row)[0])
}

it('a request sees no revocations; one of an administrator those of users, to come after them', async () => {
  await setting.admin(
    `insert into revocations (kind, subject, not_before, expires_at)
    values ('user', $1, 'epoch', 'infinity'), ('token', 'j1', null, 'infinity')`,
    [alice.user_id],
  )
  expect(await as(alice, 'select subject from revocations')).toEqual([])
  expect(await as(bob, 'select subject from revocations', ['auth.admin'])).toEqual([alice.user_id])
})

it('a request sees its own user and sessions only', async () => {
  expect(await as(alice, 'select id from users')).toEqual([alice.user_id])
  expect(await as(alice, 'select distinct user_id from sessions')).toEqual([alice.user_id])
})

it('a request ends its own sessions only, and brings none back', async () => {
  const end = `update sessions set revoked_at = now(), revoked_because = 'logout' returning user_id`
  const carol = await setting.newUser()
  expect(await as(carol, end)).toEqual([carol.user_id])
  await setting.refresh(bob.refresh_token).expect(200)
  expect(
    await as(carol, `update sessions set revoked_at = null, revoked_because = null returning 1`),
  ).toEqual([])
  await setting.refresh(carol.refresh_token).expect(401)
})

it('a request ends its own API keys only, and brings none back', async () => {
  const owner = await setting.newUser()
  await setting.http
    .post('/auth/api-keys')
    .set('Authorization', `Bearer ${owner.access_token}`)
    .send({ name: 'a key', permissions: ['memory.read'] })
    .expect(201)
  const end = 'update api_keys set revoked_at = now() returning user_id'
  expect(await as(alice, end)).toEqual([])
  expect(await as(owner, end)).toEqual([owner.user_id])
  expect(await as(owner, 'update api_keys set revoked_at = null returning 1')).toEqual([])
})

it.each([
  ['password hashes', 'select password_hash from users'],
  ['refresh hashes', 'select refresh_hash from sessions'],
  ['signing keys', 'select sealed from signing_keys'],
  ['the audit', 'select actor from audit'],
  ['wrong passwords', 'select failures from login_locks'],
  ['former passwords', 'select password_hash from password_history'],
  ['the hashes of API keys', 'select hash from api_keys'],
])('a request cannot read %s', async (_, statement) => {
  await expect(as(alice, statement)).rejects.toMatchObject({ code: '42501' })
})

it('a request changes nobody’s role, its own included, and the tier, the tenant and the lock neither', async () => {
  const change = `update users set role = 'admin', tier = 'premium', tenant_id = 'harbour', disabled_at = now() returning id`
  expect(await as(alice, change)).toEqual([])
})

it('only a request that holds auth.admin sees other users and their sessions', async () => {
  for (const permissions of [['*'], ['auth.*'], ['auth.admin']]) {
    expect(await as(alice, 'select id from users', permissions)).toContain(bob.user_id)
    expect(await as(alice, 'select user_id from sessions', permissions)).toContain(bob.user_id)
  }
  for (const permissions of [['auth.administer'], ['tasks.*'], []])
    expect(await as(alice, 'select id from users', permissions)).toEqual([alice.user_id])
})

it.each([
  ['a new user', `insert into users (username, email, password_hash) values ('x', 'x', 'x')`],
  [
    'an administrator',
    `insert into users (username, email, role, password_hash) values ('x', 'x', 'admin', 'x')`,
  ],
  [
    'a key that lasts for somebody else',
    `insert into api_keys (user_id, name, prefix, hash, permissions, expires_at)
    select 'somebody', 'x', 'x', 'x', '{*}', 'infinity'`,
  ],
  [
    'a revocation of everything that was issued to a user, were it its own',
    `insert into revocations (kind, subject, not_before, expires_at)
    values ('user', current_setting('waybill.user_id'), 'infinity', 'infinity')`,
  ],
  ['a session that lasts', `update sessions set expires_at = 'infinity'`],
])('a request cannot write %s', async (_, statement) => {
  await expect(as(alice, statement)).rejects.toMatchObject({ code: '42501' })
})

it.each([
  `update users set tenant_id = 'harbour'`,
  `insert into users (username, email, password_hash, tenant_id) values ('x', 'x', 'x', 'harbour')`,
])('the service itself, in nobody’s name, puts no user into a tenant: %s', async (statement) => {
  const done = database.withoutPrincipal((tx) => sql`${sql.raw(statement)}`.execute(tx))
  await expect(done).rejects.toMatchObject({ code: '42501' })
})

it('the lint of row-level security finds nothing', async () => {
  const db = {
    query: async (text: string, values?: unknown[]) => ({ rows: await setting.admin(text, values) }),
  }
  const findings = await lintRowSecurity(db, {
    loginRole: 'auth_service',
    userRole: 'auth_service_user',
  })
  expect(findings).toEqual([])
})
