import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BACKENDS, dataFor, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client

beforeAll(async () => {
  setting = await startSetting()
  alice = await setting.as('alice', { act: { sub: 'llm-proxy', act: { sub: 'gateway' } } })
})
beforeEach(() => setting.admin('truncate audit, records'))
afterAll(() => setting.close())

const trail = async () =>
  (await setting.admin('select action, resource, outcome, details from audit order by id')).map(
    ({ action, resource, outcome, details }) => [action, resource, outcome, details],
  )

describe('every operation leaves its row', () => {
  test('with the user, the services in between, and the request id', async () => {
    await alice('post', records('postgres'), { id: 'a', data: {} }).set('X-Request-ID', 'req-1').expect(201)
    expect(await setting.admin('select * from audit')).toMatchObject([
      {
        actor: 'service:llm-proxy',
        on_behalf_of: 'user:alice',
        actors: ['llm-proxy', 'gateway'],
        via: 'jwt',
        action: 'record.create',
        resource: 'postgres/notes/a',
        outcome: 'success',
        request_id: 'req-1',
      },
    ])
  })

  test('in Postgres: writes, reads and failures', async () => {
    await alice('post', records('postgres'), { id: 'a', data: {} })
    await alice('post', records('postgres'), { id: 'a', data: {} })
    await alice('get', records('postgres', 'notes', 'a'))
    await alice('get', records('postgres'))
    await alice('put', records('postgres', 'notes', 'a'), { data: {} })
    await alice('patch', records('postgres', 'notes', 'a'), { data: {} }).set('If-Match', '"1"')
    await alice('patch', records('postgres', 'notes', 'a'), { data: {} })
    await alice('delete', records('postgres', 'notes', 'a'))
    await alice('delete', records('postgres', 'notes', 'a'))
    expect(await trail()).toEqual([
      ['record.create', 'postgres/notes/a', 'success', {}],
      ['record.create', 'postgres/notes/a', 'failure', { code: 'conflict' }],
      ['record.read', 'postgres/notes/a', 'success', { version: 1 }],
      ['record.list', 'postgres/notes', 'success', { ids: ['a'] }],
      ['record.replace', 'postgres/notes/a', 'success', {}],
      ['record.patch', 'postgres/notes/a', 'failure', { code: 'precondition_failed' }],
      ['record.patch', 'postgres/notes/a', 'success', {}],
      ['record.delete', 'postgres/notes/a', 'success', {}],
      ['record.delete', 'postgres/notes/a', 'failure', { code: 'not_found' }],
    ])
  })

  test('in LanceDB: an intent before each write and its outcome after', async () => {
    const create = { id: 'a', data: dataFor('lancedb') }
    await alice('post', records('lancedb'), create).expect(201)
    await alice('post', records('lancedb'), { id: 'b', data: {} }).expect(422)
    await alice('post', '/v1/lancedb/collections/notes/search', { vector: [1, 0, 0] }).expect(200)
    await alice('put', records('lancedb', 'notes', 'a'), { data: dataFor('lancedb') }).expect(200)
    await alice('patch', records('lancedb', 'notes', 'a'), { data: {} })
      .set('If-Match', '"1"')
      .expect(412)
    await alice('delete', records('lancedb', 'notes', 'a')).expect(204)
    expect(await trail()).toEqual([
      ['record.create', 'lancedb/notes/a', 'intent', {}],
      ['record.create', 'lancedb/notes/a', 'success', {}],
      ['record.create', 'lancedb/notes/b', 'intent', {}],
      ['record.create', 'lancedb/notes/b', 'failure', { code: 'unprocessable' }],
      ['record.search', 'lancedb/notes', 'success', { ids: ['a'] }],
      ['record.replace', 'lancedb/notes/a', 'intent', {}],
      ['record.replace', 'lancedb/notes/a', 'success', {}],
      ['record.patch', 'lancedb/notes/a', 'intent', {}],
      ['record.patch', 'lancedb/notes/a', 'failure', { code: 'precondition_failed' }],
      ['record.delete', 'lancedb/notes/a', 'intent', {}],
      ['record.delete', 'lancedb/notes/a', 'success', {}],
    ])
  })

  test('or does not happen: what cannot be audited is not written', async () => {
    for (const backend of BACKENDS) {
      await alice('post', records(backend), { id: 'kept', data: dataFor(backend, { n: 1 }) }).expect(201)
    }
    await setting.admin('revoke insert on audit from data_store_user')
    for (const backend of BACKENDS) {
      await alice('patch', records(backend, 'notes', 'kept'), { data: { n: 2 } }).expect(500)
      await alice('put', records(backend, 'notes', 'kept'), { data: dataFor(backend) }).expect(500)
    }
    await alice('post', records('postgres'), { id: 'a', data: {} }).expect(500)
    await alice('post', records('lancedb'), { id: 'unaudited', data: dataFor('lancedb') }).expect(500)
    await alice('get', records('postgres')).expect(500)
    await setting.admin('grant insert on audit to data_store_user')
    for (const backend of BACKENDS) {
      const { body } = await alice('get', records(backend, 'notes', 'kept')).expect(200)
      expect(body).toMatchObject({ version: 1, data: { n: 1 } })
    }
    await alice('get', records('postgres', 'notes', 'a')).expect(404)
    await alice('get', records('lancedb', 'notes', 'unaudited')).expect(404)
  })
})
