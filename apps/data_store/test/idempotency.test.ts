import { loadConfig } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

// What a repetition is answered is in the conformance suite. This is what becomes of keys that nobody comes back for.

let setting: Setting
let alice: Client

beforeAll(async () => {
  setting = await startSetting({ IDEMPOTENCY_TTL_SECONDS: '3600', DATABASE_LOCK_TIMEOUT_MS: '100' })
  alice = await setting.as('alice')
})
beforeEach(() => setting.admin('truncate idempotency_keys, records'))
afterAll(() => setting.close())

const path = records('postgres')
const send = (data: object = { n: 1 }) => alice('post', path, { data }).set('Idempotency-Key', 'k')
const kept = async () => ((await alice('get', path).expect(200)).body as { items: unknown[] }).items
const age = (seconds: number) =>
  setting.admin(`update idempotency_keys set created_at = now() - interval '${String(seconds)} seconds'`)

test('a request that was cut short stays unknown: it is never done again, and its sender is told so', async () => {
  await send().expect(201)
  // As a kill between the work and the keeping of its answer leaves it.
  await setting.admin('update idempotency_keys set answer = null')
  const atWork = await send().expect(409)
  expect(atWork.headers['retry-after']).toBe('1')
  await age(300)
  await setting.restart()
  const unknown = await send().expect(409)
  expect(unknown.headers['retry-after']).toBeUndefined()
  expect(unknown.body).toMatchObject({
    detail: expect.stringContaining('may have been done or not') as string,
  })
  expect(await kept()).toHaveLength(1)
})

test('a request that failed without a refusal stays unknown too, whatever kept it from its end', async () => {
  const columns = '(scope, owner, collection, id, data)'
  await setting.admin(`revoke insert ${columns} on records from data_store_user`)
  await send().expect(500)
  await setting.admin(`grant insert ${columns} on records to data_store_user`)
  await send().expect(409)
  await setting.admin('truncate idempotency_keys')
  await setting.admin('begin; lock table records')
  await send().expect(503)
  await setting.admin('rollback')
  await send().expect(409)
  expect(await kept()).toEqual([])
})

test('a key is forgotten after IDEMPOTENCY_TTL_SECONDS, asked for or not', async () => {
  await send().expect(201)
  await age(3_500)
  await send().expect('Idempotency-Replayed', 'true')
  await age(3_700)
  await send({ n: 2 }).expect(201)
  expect(await kept()).toHaveLength(2)
  await age(3_700)
  await setting.restart()
  expect(await setting.admin('select key from idempotency_keys')).toEqual([])
})

test('data nested however deep are refused as without a key: 422, and a row in the audit', async () => {
  const depth = 40_000
  const body = `{"data":{"deep":${'['.repeat(depth)}${']'.repeat(depth)}}}`
  const refused = await alice('post', path, body).set('Idempotency-Key', 'deep').expect(422)
  expect(refused.body).toMatchObject({ detail: 'data is nested more than 32 levels deep.' })
  const rows = await setting.admin('select outcome, details from audit order by id desc limit 1')
  expect(rows).toMatchObject([{ outcome: 'failure', details: { code: 'unprocessable' } }])
})

test('a request leaves a key alone that another has taken meanwhile', async () => {
  // As if the key had been forgotten, and taken again, while the first request was at work.
  await setting.admin(`
    create function taken_again() returns trigger language plpgsql security definer as $$
      begin update idempotency_keys set created_at = created_at + interval '1 second'; return null; end $$;
    create trigger taken_again after insert or update on records for each row execute function taken_again()`)
  await send().expect(201)
  expect(await setting.admin('select answer from idempotency_keys')).toEqual([{ answer: null }])
  await setting.admin(`truncate idempotency_keys; create or replace function taken_again() returns trigger language plpgsql
    security definer as $$ begin update idempotency_keys set fingerprint = 'other'; return null; end $$`)
  await send().expect(201)
  expect(await setting.admin('select answer from idempotency_keys')).toEqual([{ answer: null }])
  await setting.admin('drop trigger taken_again on records; drop function taken_again')
})

test('a key that would be forgotten while its request is at work stops the start', () => {
  const config = loadConfig(configSchema, {
    ...{ DATABASE_URL: 'postgresql://a:b@127.0.0.1:1/c', SERVICE_SECRET: 'for tests' },
    ...{ IDEMPOTENCY_TTL_SECONDS: '60', REQUEST_TIMEOUT_MS: '30000' },
  })
  expect(() => createApp(config)).toThrow(
    'IDEMPOTENCY_TTL_SECONDS: must be longer than twice REQUEST_TIMEOUT_MS',
  )
})

test('housekeeping sees how old keys are, and no answer', async () => {
  await send().expect(201)
  const may = await setting.admin(`
    select has_column_privilege('data_store', 'idempotency_keys', 'answer', 'select') as answer,
      has_column_privilege('data_store', 'idempotency_keys', 'created_at', 'select') as age,
      has_column_privilege('data_store_user', 'idempotency_keys', 'user_id', 'insert') as name`)
  expect(may).toEqual([{ answer: false, age: true, name: false }])
})
