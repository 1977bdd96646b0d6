import { loadConfig } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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
const send = (data: object = { n: 1 }, backend = 'postgres') =>
  alice('post', records(backend), { data }).set('Idempotency-Key', 'k')
const kept = async (backend = 'postgres') =>
  ((await alice('get', records(backend)).expect(200)).body as { items: unknown[] }).items
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

describe('a request that certainly did nothing frees its key', () => {
  test('what Postgres has rolled back, whatever for', async () => {
    const columns = '(scope, owner, collection, id, data)'
    await setting.admin(`revoke insert ${columns} on records from data_store_user`)
    await send().expect(500)
    await setting.admin(`grant insert ${columns} on records to data_store_user`)
    await setting.admin('begin; lock table records')
    await send().expect(503)
    await setting.admin('rollback')
    await send().expect(201)
    expect(await kept()).toHaveLength(1)
  })

  test('what has no intent in the audit, and so was not begun', async () => {
    await setting.admin('revoke insert on open_intents from data_store')
    await send({ n: 1 }, 'lancedb').expect(500)
    await setting.admin('grant insert on open_intents to data_store')
    await send({ n: 1 }, 'lancedb').expect(201)
  })

  test('what FileMaker did, and was made to undo', async () => {
    setting.fileMaker.fail({ kind: 'drop', done: true }, { on: /^POST .*records$/ })
    await send({ n: 1 }, 'filemaker').expect(503)
    await send({ n: 1 }, 'filemaker').expect(201)
    expect(await kept('filemaker')).toHaveLength(1)
    await setting.admin('truncate idempotency_keys')
    setting.fileMaker.fail({ kind: 'error', code: '812' }, { on: /^POST .*records$/ })
    await send({ n: 2 }, 'filemaker').expect(503)
    await send({ n: 2 }, 'filemaker').expect(201)
  })

  test.each(['supabase', 'filemaker'])('what there was no connection for: %s', async (backend) => {
    const nobody = 'http://127.0.0.1:1'
    const away = await startSetting({
      ...{ FILEMAKER_URL: nobody, SUPABASE_URL: nobody, SUPABASE_PUBLISHABLE_KEY: 'for tests' },
    })
    try {
      const client = await away.as('alice')
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const { headers } = await client('post', records(backend), { data: {} })
          .set('Idempotency-Key', 'k')
          .expect(503)
        expect(headers['retry-after']).toBe('1')
      }
      expect(await away.admin('select key from idempotency_keys')).toEqual([])
      const rows = await away.admin(`select details->>'code' as code from audit where outcome = 'failure'`)
      expect(rows).toEqual([{ code: 'unavailable' }, { code: 'unavailable' }])
    } finally {
      await away.close()
    }
  })
})

describe('of a request that ended without a known outcome its sender is told so at once', () => {
  const expectUnknown = async (again: ReturnType<Client>) => {
    const { headers, body } = await again.expect(409)
    expect(headers['retry-after']).toBeUndefined()
    expect(body).toMatchObject({
      detail: expect.stringContaining('failed, and may have been done') as string,
    })
  }

  test('when the connection to Postgres was lost while it committed', async () => {
    await setting.admin(`
      create function lose() returns trigger language plpgsql security definer as $$
        begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
      create constraint trigger lose after insert on records deferrable initially deferred
        for each row execute function lose()`)
    await send().expect(503)
    await setting.admin('drop trigger lose on records; drop function lose')
    await expectUnknown(send())
    expect(await kept()).toEqual([])
  })

  test('when FileMaker gave no answer, and nothing was found of it yet', async () => {
    setting.fileMaker.fail({ kind: 'drop' }, { on: /^POST .*records$/ })
    await send({ n: 3 }, 'filemaker').expect(503)
    await expectUnknown(send({ n: 3 }, 'filemaker'))
  })

  test('when it was done, and the audit could not be told', async () => {
    await setting.admin('revoke delete on open_intents from data_store')
    await send({ n: 2 }, 'lancedb').expect(500)
    await setting.admin('grant delete on open_intents to data_store')
    await expectUnknown(send({ n: 2 }, 'lancedb'))
  })
})

test('an end that could not be kept, because Postgres was away, is kept before the next key is taken', async () => {
  await setting.admin(`
    create function away() returns trigger language plpgsql as $$ begin raise 'away'; end $$;
    create trigger away before update or delete on idempotency_keys for each row execute function away()`)
  await send().expect(201)
  await alice('patch', records('postgres', 'notes', 'none'), { data: {} })
    .set('Idempotency-Key', 'free')
    .expect(404)
  await setting.admin('drop trigger away on idempotency_keys; drop function away')
  await send().expect(201).expect('Idempotency-Replayed', 'true')
  expect(await setting.admin('select key from idempotency_keys')).toEqual([{ key: 'k' }])
  expect(await kept()).toHaveLength(1)
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
