import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUDIT_CASES, DATA, QUERY_DIGEST } from './fixtures/audit-cases.ts'
import type { AuditCase } from './fixtures/audit-cases.ts'
import { ALL_BACKENDS, dataFor, startSetting } from './setting.ts'
import type { Client, Method, Setting } from './setting.ts'

// What the audit says of every operation on every backend. Contents, values of filters and texts searched for are canaries: no row has one.

let setting: Setting
let clients: Record<AuditCase['who'] | 'service', Client>
beforeAll(async () => {
  // At 0 the row of a read is there once it is answered.
  setting = await startSetting({ AUDIT_BATCH_MS: '0' }, { supabase: true })
  clients = {
    alice: await setting.as('alice', { act: { sub: 'llm-proxy', act: { sub: 'gateway' } } }),
    reader: await setting.as('alice', { scope: 'memory.read' }),
    stranger: await setting.as('alice', { scope: 'tasks.read' }),
    service: await setting.as('llm-proxy', { principal: 'service', scope: '*' }),
  }
})
afterAll(() => setting.close())

let collections = 0
/** A collection of the backend with records `a` and `b`, and an audit that does not say so. */
async function freshCollection(backend: string): Promise<{ name: string; path: string }> {
  const name = ['supabase', 'filemaker'].includes(backend) ? 'notes' : `notes-${String((collections += 1))}`
  const path = `/v1/${backend}/collections/${name}`
  const filter = { field: 'id', op: 'ne', value: '0' }
  await clients.alice('post', `${path}/bulk-delete`, { filter }).expect(200)
  const records = ['a', 'b'].map((id) => ({ id, data: dataOf(backend) }))
  await clients.alice('post', `${path}/records/bulk`, { records }).expect(201)
  await setting.admin('truncate audit')
  return { name, path }
}

const dataOf = (backend: string) => dataFor(backend, { title: 'canary of data' })

/** Every row there is, having looked for canaries and for who did it. */
async function rows() {
  const found = await setting.admin('select * from audit order by id')
  expect(JSON.stringify(found)).not.toContain('canary')
  for (const row of found) {
    expect(row).toMatchObject({
      request_id: 'req-1',
      via: 'jwt',
      actor: expect.stringMatching(/^(user|service):/) as string,
    })
    expect(row.on_behalf_of ?? row.actor).toBe('user:alice')
  }
  return found.map(({ action, resource, outcome, details }) => ({ action, resource, outcome, details }))
}

describe.each(ALL_BACKENDS)('%s: what the audit says of', (backend) => {
  test.each(AUDIT_CASES)('$name', async ({ request, body, status, act, before, after, headers, who }) => {
    const { name, path } = await freshCollection(backend)
    const [method = '', target = ''] = request.split(' ')
    const given =
      body &&
      (JSON.parse(JSON.stringify(body), (_, value: unknown) =>
        value === DATA ? dataOf(backend) : value,
      ) as object)
    await clients[who](method as Method, path + target, given)
      .set({ 'X-Request-ID': 'req-1', ...headers })
      .expect(status)
    const [action = '', ...id] = act.split(' ')
    const resource = [backend, name, ...id].join('/')
    const outcome = status < 400 ? 'success' : status === 403 ? 'denied' : 'failure'
    // Of a record that is gone, only Postgres says which version it had.
    const version = act === 'record.delete a' && backend === 'postgres' ? { version: 1 } : {}
    const last = { action, resource, outcome, details: { ...before, ...after, ...version } }
    const found = await rows()
    const isOne =
      backend === 'postgres' || outcome === 'denied' || ['record.read', 'record.list'].includes(action)
    if (isOne) {
      expect(found).toEqual([last])
      return
    }
    // An intent goes before, and the outcome says which.
    const { intent } = found[0]?.details as { intent: string }
    expect(intent).toMatch(/^[\w-]{36}$/)
    expect(found).toEqual([
      { ...last, outcome: 'intent', details: { ...before, intent } },
      { ...last, details: { ...last.details, intent } },
    ])
    expect(await setting.admin('select * from open_intents')).toEqual([])
  })

  test('a search: the digest of what was searched for', async () => {
    const { name, path } = await freshCollection(backend)
    const answer = await clients
      .alice('post', `${path}/search`, { text: 'canary' })
      .set('X-Request-ID', 'req-1')
    const { items } = answer.body as { items?: { id: string }[] }
    const details = { query_digest: QUERY_DIGEST }
    expect(await rows()).toEqual([
      {
        action: 'record.search',
        resource: `${backend}/${name}`,
        ...(items
          ? { outcome: 'success', details: { ...details, ids: items.map(({ id }) => id) } }
          : { outcome: 'failure', details: { ...details, code: 'not_implemented' } }),
      },
    ])
  })

  test('a write that is sent again: that it was answered again, or why not', async () => {
    const { name, path } = await freshCollection(backend)
    const key = `"${name}-in-${backend}"`
    const send = (title: string) =>
      clients
        .alice('patch', `${path}/records/a`, { data: { title } })
        .set({ 'X-Request-ID': 'req-1', 'Idempotency-Key': key })
    await send('canary').expect(200)
    await setting.admin('truncate audit')
    await send('canary').expect(200)
    await send('another canary').expect(422)
    const what = { action: 'record.patch', resource: `${backend}/${name}/a` }
    expect(await rows()).toEqual([
      { ...what, outcome: 'success', details: { replayed: true } },
      { ...what, outcome: 'failure', details: { code: 'unprocessable' } },
    ])
  })

  test('a service in its own name, to whom no records belong: that it was denied', async () => {
    const { path } = await freshCollection(backend)
    await clients.service('get', `${path}/records/a`).expect(403)
    expect(await setting.admin('select actor, action, resource, outcome, details from audit')).toEqual([
      {
        actor: 'service:llm-proxy',
        action: 'access.denied',
        resource: 'route/GET /v1/:backend/collections/:collection/records/:id',
        outcome: 'denied',
        details: { code: 'forbidden' },
      },
    ])
  })
})
