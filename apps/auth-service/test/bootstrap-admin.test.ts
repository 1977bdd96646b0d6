import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { ConfigError, FatalStartError, loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import pg from 'pg'
import supertest from 'supertest'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { environmentOn } from './setting.ts'

const ADMIN = {
  BOOTSTRAP_ADMIN_USERNAME: 'root',
  BOOTSTRAP_ADMIN_EMAIL: 'root@example.test',
  BOOTSTRAP_ADMIN_PASSWORD: 'a long way up the stairs',
}

let postgres: TestPostgres
let database: pg.Client
let environment: Record<string, string>
let services: Service[]
beforeEach(async () => {
  services = []
  postgres = await startTestPostgres('auth-service')
  database = new pg.Client({ connectionString: postgres.adminUrl })
  await database.connect()
  environment = environmentOn(postgres)
})
afterEach(async () => {
  for (const service of services) await service.close()
  await database.end()
  await postgres.close()
})

async function start(more: Record<string, string>): Promise<Service> {
  const service = createApp(loadConfig(configSchema, { ...environment, ...more }))
  services.push(service)
  await service.start()
  return service
}

const rows = async (text: string) => (await database.query<Record<string, unknown>>(text)).rows
const admins = () => rows(`select username, email from users where role = 'admin'`)

it('the first administrator is made at the start, once, and audited as the service’s own doing', async () => {
  await start({})
  const [first] = await Promise.all([start(ADMIN), start(ADMIN), start(ADMIN)])
  expect(await admins()).toEqual([{ username: 'root', email: 'root@example.test' }])
  expect(await rows(`select actor, outcome from audit where action = 'user.bootstrap_admin'`)).toEqual([
    { actor: 'service:auth-service', outcome: 'success' },
  ])
  const { body } = await supertest(first.app)
    .post('/auth/login')
    .send({ username: 'root', password: ADMIN.BOOTSTRAP_ADMIN_PASSWORD })
    .expect(200)
  expect(body.role).toBe('admin')
})

it('an administrator who is there stays as it is, whatever the variables say', async () => {
  await start(ADMIN)
  const before = await rows('select * from users')
  await start({ ...ADMIN, BOOTSTRAP_ADMIN_PASSWORD: 'quite another way up' })
  await start({ ...ADMIN, BOOTSTRAP_ADMIN_USERNAME: 'other', BOOTSTRAP_ADMIN_EMAIL: 'other@example.test' })
  expect(await rows('select * from users')).toEqual(before)
})

it('a name that a user has taken makes nobody an administrator, and the service starts', async () => {
  const service = await start({})
  await supertest(service.app)
    .post('/auth/register')
    .send({ username: 'ROOT', email: 'mallory@example.test', password: 'my very own password' })
    .expect(201)
  await start(ADMIN)
  expect(await admins()).toEqual([])
})

it('a poor password stops the start, and is not quoted', async () => {
  const starting = start({ ...ADMIN, BOOTSTRAP_ADMIN_PASSWORD: 'password1' })
  await expect(starting).rejects.toThrow(FatalStartError)
  await expect(starting).rejects.toThrow(/^BOOTSTRAP_ADMIN_PASSWORD is not good enough/)
  await expect(starting).rejects.not.toThrow(/password1/)
})

it('two of the three variables stop the start, and so does a name that is none', () => {
  const { BOOTSTRAP_ADMIN_EMAIL: _, ...two } = ADMIN
  for (const wrong of [two, { ...ADMIN, BOOTSTRAP_ADMIN_USERNAME: 'a b' }])
    expect(() => loadConfig(configSchema, { ...environment, ...wrong })).toThrow(ConfigError)
})
