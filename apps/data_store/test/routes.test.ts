import { dataStore } from '@waybill/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting } from './setting.ts'
import type { Method, Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ LANCEDB_PATH: '' })
})
afterAll(() => setting.close())

/** Every route of the service, with its parameters filled in. */
const routes = () =>
  setting.service.routes.map(({ method, path, auth }) => ({
    method: method.toLowerCase() as Method,
    path: path.replace(':backend', 'postgres').replace(':collection', 'notes').replace(':id', 'a'),
    auth,
  }))

describe('every route', () => {
  test('asks for the permission that its contract promises', () => {
    const promised = Object.values(dataStore).flatMap((member) =>
      typeof member === 'object' && 'permission' in member
        ? [`${member.method} ${member.path} ${String(member.permission)}`]
        : [],
    )
    const asked = setting.service.routes.map(
      ({ method, path, auth }) => `${method} ${path} ${auth.permissions.join()}`,
    )
    expect(asked.sort()).toEqual(promised.sort())
  })

  test('answers 401 without a credential, with a challenge', async () => {
    expect(routes()).toHaveLength(10)
    for (const { method, path } of routes()) {
      const response = await setting.anonymous[method](path).expect(401)
      expect(response.headers['www-authenticate']).toMatch(/^Bearer /)
    }
  })

  test('answers 403 to a user with every permission but its own', async () => {
    for (const { method, path, auth } of routes()) {
      const [wanted] = auth.permissions
      const scope = ['memory.read', 'memory.write', 'tasks.read'].filter((held) => held !== wanted).join(' ')
      const response = await (await setting.as('alice', { scope }))(method, path).expect(403)
      expect(response.body).toMatchObject({ code: 'insufficient_permission', permission: wanted })
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

describe('backends', () => {
  test('are listed, configured or not, with what search can do', async () => {
    const { body } = await (await setting.as('alice'))('get', '/v1/backends').expect(200)
    expect(body).toEqual({
      items: [
        { name: 'postgres', status: 'configured', search: [] },
        { name: 'lancedb', status: 'not_configured', search: [] },
      ],
    })
  })

  test('one that is not configured answers 501, one that is none 404', async () => {
    const alice = await setting.as('alice')
    const absent = await alice('get', '/v1/lancedb/collections/notes/records').expect(501)
    expect(absent.body).toMatchObject({ detail: 'The backend lancedb is not configured.' })
    const unknown = await alice('get', '/v1/oracle/collections/notes/records').expect(404)
    expect(unknown.body).toMatchObject({ detail: 'There is no backend oracle; there is postgres, lancedb.' })
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
