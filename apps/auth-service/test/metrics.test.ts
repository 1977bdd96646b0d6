import * as telemetry from '@waybill/telemetry'
import supertest from 'supertest'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

// The real thing, watched.
vi.mock('@waybill/telemetry', { spy: true })

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ LOGIN_LOCK_AFTER: '3' })
})
afterAll(() => setting.close())
beforeEach(() => {
  vi.clearAllMocks()
})

const counted = () =>
  vi.mocked(telemetry.countEvent).mock.calls.map(([name, attributes]) => [name, attributes])
const outcome = (text: string) => ({ 'waybill.outcome': text })

it('logins and refreshes are counted, those that fail too (seed 002)', async () => {
  const user = await setting.newUser()
  await setting.logIn(user.username, 'wrong').expect(401)
  await setting.refresh(user.refresh_token).expect(200)
  await setting.refresh('rt_x').expect(401)
  expect(counted()).toEqual([
    ['waybill.logins', outcome('success')],
    ['waybill.logins', outcome('failure')],
    ['waybill.refreshes', outcome('success')],
    ['waybill.refreshes', outcome('failure')],
  ])
})

it('refusals for too many wrong passwords, and for too many calls, are counted', async () => {
  for (let tried = 0; tried < 3; tried += 1) await setting.logIn('nobody', 'wrong').expect(401)
  await setting.logIn('nobody', 'wrong').expect(429)
  expect(counted().at(-1)).toEqual(['waybill.lockouts', undefined])
  const http = supertest((await setting.another({ LOGIN_LIMIT_PER_MINUTE: '1' })).app)
  const logIn = () => http.post('/auth/login').send({ username: 'somebody', password: 'wrong' })
  await logIn().expect(401)
  await logIn().expect(429)
  expect(counted().at(-1)).toEqual(['waybill.rate_limited', { 'waybill.limit': 'account' }])
})

it('the use of API keys is counted, also of those that are worth nothing', async () => {
  const { access_token } = await setting.newUser()
  const { body } = await setting.http
    .post('/auth/api-keys')
    .set('Authorization', `Bearer ${access_token}`)
    .send({ name: 'reader', permissions: ['tasks.read'] })
    .expect(201)
  vi.clearAllMocks()
  await setting.post('gateway', '/oauth/introspect', { token: body.api_key as string }).expect(200)
  await setting.post('gateway', '/oauth/introspect', { token: 'wb_no' }).expect(200)
  expect(counted()).toEqual([
    ['waybill.api_key_uses', outcome('success')],
    ['waybill.api_key_uses', outcome('failure')],
  ])
})
