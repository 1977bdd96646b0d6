import { dataStore } from '@waybill/contracts'
import type { Endpoint } from '@waybill/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COLLECTIONS } from './fixtures/collections.ts'
import { startSetting } from './setting.ts'
import type { Method, Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ LANCEDB_PATH: '', FILEMAKER_URL: '' })
})
afterAll(() => setting.close())

const ENDPOINTS = Object.values<unknown>(dataStore).filter(
  (member): member is Endpoint => typeof member === 'object' && member !== null && 'permission' in member,
)
/** What their bodies must have to be looked at. */
const BODIES: Record<string, object> = {
  [dataStore.createRecord.path]: { data: {} },
  [dataStore.createRecords.path]: { records: [{ data: {} }] },
  [dataStore.replaceRecord.path]: { data: {} },
  [dataStore.patchRecords.path]: { filter: { field: 'id', op: 'is_null' }, data: {} },
  [dataStore.deleteRecords.path]: { filter: { field: 'id', op: 'is_null' } },
  [dataStore.searchRecords.path]: { text: 'x' },
  [dataStore.queryRecords.path]: {},
}

/** Every endpoint of the service, with its parameters filled in. */
const routes = () =>
  ENDPOINTS.map(({ method, path, permission }) => ({
    method: method.toLowerCase() as Method,
    path: path.replace(':backend', 'postgres').replace(':collection', 'notes').replace(':id', 'a'),
    permission,
    body: ['GET', 'DELETE'].includes(method) ? undefined : BODIES[path],
  }))

describe('every route', () => {
  test('is one of the contract', () => {
    const named = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
    expect(setting.service.routes.map(named).sort()).toEqual(ENDPOINTS.map(named).sort())
  })

  test('answers 401 without a credential, with a challenge', async () => {
    for (const { method, path } of routes()) {
      const response = await setting.anonymous[method](path).expect(401)
      expect(response.headers['www-authenticate']).toMatch(/^Bearer /)
    }
  })

  test('answers 403 to a user with every permission but its own, and the audit says that it was denied', async () => {
    for (const { method, path, permission, body } of routes()) {
      const scope = ['memory.read', 'memory.write', 'tasks.read'].filter((held) => held !== permission)
      const client = await setting.as('alice', { scope: scope.join(' ') })
      const response = await client(method, path, body).expect(403)
      expect(response.body).toMatchObject({ code: 'insufficient_permission', permission })
      const trail = await (await setting.as('alice'))('get', '/v1/audit?limit=1').expect(200)
      expect(trail.body).toMatchObject({
        items: [{ outcome: 'denied', details: { code: 'insufficient_permission', permission } }],
      })
    }
  })

  test('answers 403 to a service in its own name: records belong to users', async () => {
    const service = await setting.as('llm-proxy', { principal: 'service', scope: '*' })
    for (const { method, path } of routes()) await service(method, path).expect(403)
  })

  test('answers 401 to a token for another audience', async () => {
    const other = await setting.as('alice', { aud: 'llm-proxy' })
    for (const { method, path } of routes()) await other(method, path).expect(401)
  })
})

test('the OpenAPI document tells what an upsert and a merge patch are, and of what stands in a query string', async () => {
  interface Operation {
    parameters: { in: string; description?: string }[]
    requestBody: { content: object }
    responses: Record<string, object>
  }
  const { body } = await setting.anonymous.get('/openapi.json').expect(200)
  const { paths } = body as { paths: Record<string, Record<string, Operation>> }
  const collection = '/v1/{backend}/collections/{collection}'
  const { put, patch } = paths[`${collection}/records/{id}`]!
  for (const status of ['200', '201', '415', '500', '502', '504'])
    expect(put!.responses).toHaveProperty(status)
  expect(Object.keys(patch!.requestBody.content)).toContain('application/merge-patch+json')
  const query = paths[`${collection}/records`]!.get!.parameters.filter(
    (parameter) => parameter.in === 'query',
  )
  expect(query).toHaveLength(7)
  for (const parameter of query) expect(parameter).toHaveProperty('description', expect.stringMatching(/./))
})

describe('backends', () => {
  test('are listed, configured or not, with what search can do and the collections that are declared', async () => {
    const { body } = await (await setting.as('alice'))('get', '/v1/backends').expect(200)
    const { items } = body as { items: { name: string; collections: { name: string }[] }[] }
    expect(items).toMatchObject([
      { name: 'postgres', status: 'configured', search: ['text'], undeclared_collections: true },
      { name: 'supabase', status: 'not_configured', search: [], undeclared_collections: false },
      { name: 'lancedb', status: 'not_configured', search: [], undeclared_collections: true },
      { name: 'filemaker', status: 'not_configured', search: [], undeclared_collections: false },
    ])
    for (const { collections } of items) {
      expect(collections.map(({ name }) => name)).toEqual(COLLECTIONS.map(({ name }) => name))
    }
    expect(items[0]!.collections).toMatchObject([
      { name: 'notes', scope: 'user', schema: { type: 'object' }, require_if_match: false },
      { name: 'tenant-notes', scope: 'tenant', schema: null },
      { name: 'workspace-notes', scope: 'workspace' },
      { name: 'strict', require_if_match: true },
      { name: 'guarded', permissions: { read: 'stats.read', write: 'tasks.update' } },
    ])
  })

  test('one that is not configured answers 501, one that is none 404', async () => {
    const alice = await setting.as('alice')
    for (const backend of ['supabase', 'lancedb', 'filemaker']) {
      const absent = await alice('get', `/v1/${backend}/collections/notes/records`).expect(501)
      expect(absent.body).toMatchObject({ detail: `The backend ${backend} is not configured.` })
    }
    const unknown = await alice('get', '/v1/oracle/collections/notes/records').expect(404)
    expect(unknown.body).toMatchObject({
      detail: 'There is no backend oracle; there is postgres, supabase, lancedb, filemaker.',
    })
  })

  test('a collection that is not declared is 404 where it must be, and a search that is not there 501', async () => {
    const declared = await startSetting({ UNDECLARED_COLLECTIONS: 'lancedb' })
    const alice = await declared.as('alice')
    for (const backend of ['postgres', 'filemaker']) {
      const refused = await alice('get', `/v1/${backend}/collections/others/records`).expect(404)
      expect(refused.body).toMatchObject({ detail: `There is no collection others in ${backend}.` })
    }
    await alice('get', '/v1/lancedb/collections/others/records').expect(200)
    const search = (backend: string, body: object) =>
      alice('post', `/v1/${backend}/collections/notes/search`, body)
    const absent = await search('postgres', { vector: [1, 0] }).expect(501)
    expect(absent.body).toMatchObject({
      code: 'not_implemented',
      detail: expect.stringContaining('vector') as string,
    })
    await search('postgres', { text: 'a', vector: [1, 0] }).expect(501)
    await search('filemaker', { text: 'a' }).expect(501)
    await declared.close()
  })

  test('Postgres away is 503 with Retry-After, and back again is 200', async () => {
    const alice = await setting.as('alice')
    await setting.admin('alter role data_store nologin')
    await setting.admin(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'data_store'",
    )
    const response = await alice('get', '/v1/postgres/collections/notes/records').expect(503)
    expect(response.headers['retry-after']).toBe('1')
    await setting.admin('alter role data_store login')
    await alice('get', '/v1/postgres/collections/notes/records').expect(200)
  })
})
