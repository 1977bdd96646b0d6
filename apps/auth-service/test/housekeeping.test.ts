import { createLogger } from '@waybill/service-kit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createHousekeeping } from '../src/time/housekeeping.ts'
import { claimsOf, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const log = createLogger({ service: 'test', level: 'silent' })

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

it('a service that closes has removed what has expired: sessions, and wrong passwords that are forgotten', async () => {
  const gone = await setting.newUser()
  const stays = await setting.newUser()
  await setting.admin('update sessions set expires_at = now() where user_id = $1', [gone.user_id])
  await setting.logIn('nobody', 'wrong').expect(401)
  await setting.admin(`update login_locks set failed_at = now() - interval '25 hours'`)
  await setting.logIn('nobody-else', 'wrong').expect(401)
  const before = await setting.admin('select count(*)::int as rows from login_locks')
  const instance = await setting.another()
  await instance.close()
  const sessions = (await setting.admin('select id from sessions')).map(({ id }) => id)
  expect(sessions).toEqual([claimsOf(stays.access_token).sid])
  const after = await setting.admin('select count(*)::int as rows from login_locks')
  expect(after[0]!.rows).toBe((before[0]!.rows as number) - 1)
  await setting.refresh(stays.refresh_token).expect(200)
})

it('API keys are listed for API_KEYS_KEPT_DAYS after their end, however they ended, and then no more', async () => {
  const { access_token } = await setting.newUser()
  const create = async (name: string) =>
    setting.http
      .post('/auth/api-keys')
      .set('Authorization', `Bearer ${access_token}`)
      .send({ name, permissions: ['memory.read'] })
      .expect(201)
  for (const name of ['revoked long ago', 'expired long ago', 'revoked', 'lives']) await create(name)
  await setting.admin(`
    update api_keys set revoked_at = now() - interval '8 days' where name = 'revoked long ago';
    update api_keys set expires_at = now() - interval '8 days' where name = 'expired long ago';
    update api_keys set revoked_at = now() - interval '6 days' where name = 'revoked'`)
  await (await setting.another({ API_KEYS_KEPT_DAYS: '7' })).close()
  const { body } = await setting.http
    .get('/auth/api-keys')
    .set('Authorization', `Bearer ${access_token}`)
    .expect(200)
  expect((body.api_keys as { name: string }[]).map(({ name }) => name).toSorted()).toEqual([
    'lives',
    'revoked',
  ])
})

it('a chore that fails keeps no service from closing', async () => {
  let done = 0
  const housekeeping = createHousekeeping({
    chores: { count: () => Promise.resolve((done += 1)), fail: () => Promise.reject(new Error('no')) },
    ...{ everySeconds: 3600, log },
  })
  await housekeeping.start(new AbortController().signal)
  await housekeeping.close()
  expect(done).toBe(1)
})

it('what was never started does nothing when it closes', async () => {
  let done = 0
  const chores = { count: () => Promise.resolve((done += 1)) }
  await createHousekeeping({ chores, everySeconds: 3600, log }).close()
  expect(done).toBe(0)
})
