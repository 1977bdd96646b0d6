import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BACKENDS, dataFor, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client

async function start(environment: Record<string, string> = {}): Promise<void> {
  setting = await startSetting(environment)
  alice = await setting.as('alice', { act: { sub: 'llm-proxy', act: { sub: 'gateway' } } })
}
const audited = async () =>
  (await setting.admin('select action, resource, outcome, details from audit order by id')).map(
    ({ action, resource, outcome, details }) => [action, resource, outcome, details],
  )
/** Postgres takes no rows for the audit any more, and takes them again. */
const refuseRows = () => setting.admin('revoke insert on audit from data_store, data_store_user')
const takeRows = () => setting.admin('grant insert on audit to data_store, data_store_user')
const create = (id: string) => alice('post', records('postgres'), { id, data: {} })
const read = (id: string) => alice('get', records('postgres', 'notes', id))

afterEach(() => setting.close())

describe('a row says', () => {
  beforeEach(() => start())

  test('the user, the services in between, and the request', async () => {
    const before = Date.now()
    await create('a').set('X-Request-ID', 'req-1').expect(201)
    const [row] = await setting.admin('select * from audit')
    expect(row).toMatchObject({
      actor: 'service:llm-proxy',
      on_behalf_of: 'user:alice',
      actors: ['llm-proxy', 'gateway'],
      via: 'jwt',
      action: 'record.create',
      resource: 'postgres/notes/a',
      outcome: 'success',
      request_id: 'req-1',
    })
    expect((row!.at as Date).getTime()).toBeGreaterThanOrEqual(before)
  })
})

describe('a write that cannot be audited', () => {
  beforeEach(() => start())

  test.each(BACKENDS)('does not happen in %s', async (backend) => {
    const [kept, unaudited] = [records(backend, 'notes', 'kept'), records(backend, 'notes', 'unaudited')]
    await alice('post', records(backend), { id: 'kept', data: dataFor(backend, { n: 1 }) }).expect(201)
    await refuseRows()
    await alice('patch', kept, { data: { n: 2 } }).expect(500)
    await alice('put', kept, { data: dataFor(backend) }).expect(500)
    await alice('delete', kept).expect(500)
    await alice('post', records(backend), { id: 'unaudited', data: dataFor(backend) }).expect(500)
    await takeRows()
    const { body } = await alice('get', kept).expect(200)
    expect(body).toMatchObject({ version: 1, data: { n: 1 } })
    await alice('get', unaudited).expect(404)
  })
})

test('what was denied has its row at once, and in no batch of reads', async () => {
  await start({ AUDIT_BATCH_MS: '1000' })
  const reader = await setting.as('bob', { scope: 'memory.read' })
  const writer = await setting.as('bob', { scope: 'memory.write' })
  await reader('delete', records('postgres', 'notes', 'a')).expect(403)
  await writer('get', records('postgres', 'notes', 'a')).expect(403)
  const denied = (action: string, permission: string) => {
    return [action, 'postgres/notes/a', 'denied', { code: 'insufficient_permission', permission }]
  }
  expect(await audited()).toEqual([
    denied('record.delete', 'memory.write'),
    denied('record.read', 'memory.read'),
  ])
})

describe('the rows of reads', () => {
  test('come later, at the end of the process at the latest, and say when it was', async () => {
    await start({ AUDIT_BATCH_MS: '1000' })
    await create('a').expect(201)
    const before = Date.now()
    await read('a').expect(200)
    await read('b').expect(404)
    const after = Date.now()
    expect(await audited()).toHaveLength(1)
    await setting.restart()
    expect((await audited()).slice(1)).toEqual([
      ['record.read', 'postgres/notes/a', 'success', { version: 1 }],
      ['record.read', 'postgres/notes/b', 'failure', { code: 'not_found' }],
    ])
    const times = await setting.admin('select at from audit order by id offset 1')
    for (const { at } of times as { at: Date }[]) {
      expect(at.getTime()).toBeGreaterThanOrEqual(before)
      expect(at.getTime()).toBeLessThanOrEqual(after)
    }
  })

  test('are there when the audit is asked for', async () => {
    await start({ AUDIT_BATCH_MS: '1000' })
    await read('a').expect(404)
    const { body } = await alice('get', '/v1/audit').expect(200)
    expect(body).toMatchObject({ items: [{ action: 'record.read', resource: 'postgres/notes/a' }] })
  })

  test('wait while they cannot be written; when no more can wait, reads are 503 rather than unaudited', async () => {
    await start({ AUDIT_BATCH_MS: '1000', AUDIT_BUFFER_SIZE: '2' })
    await create('a').expect(201)
    await refuseRows()
    await read('a').expect(200)
    await read('b').expect(404)
    const { headers, body } = await read('a').expect(503)
    expect([headers['retry-after'], (body as { code: string }).code]).toEqual(['1', 'unavailable'])
    expect(JSON.stringify(body)).not.toContain('version')
    await read('b').expect(503)
    await takeRows()
    await read('c').expect(404)
    await setting.restart()
    expect((await audited()).slice(1).map(([, resource]) => resource)).toEqual(
      ['a', 'b', 'c'].map((id) => `postgres/notes/${id}`),
    )
  })
})

describe('an intent that was never closed', () => {
  beforeEach(() => start({ REQUEST_TIMEOUT_MS: '5000' }))

  test('is closed as interrupted in the same name, once no request can be at work on it any more', async () => {
    const row = {
      ...{ actor: 'service:gateway', on_behalf_of: 'user:alice', actors: ['gateway'], via: 'jwt' },
      ...{ action: 'record.patch', resource: 'lancedb/notes/a', outcome: 'intent', details: { n: 1 } },
      ...{ request_id: 'req-1', trace_id: null },
    }
    const [old, recent] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']
    await setting.admin(`insert into open_intents (id, at, row) values
      ('${old}', now() - interval '11 seconds', '${JSON.stringify(row)}'), ('${recent}', now(), '${JSON.stringify(row)}')`)
    await setting.restart()
    await setting.restart()
    expect(await setting.admin('select id from open_intents')).toEqual([{ id: recent }])
    const rows = await setting.admin('select * from audit')
    const details = { n: 1, code: 'interrupted', intent: old }
    expect(rows).toEqual([expect.objectContaining({ ...row, outcome: 'failure', details })])
    expect(Date.now() - (rows[0]!.at as Date).getTime()).toBeLessThan(10_000)
  })
})
