import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Database } from '@waybill/database'
import { inRequest, startSetting, user } from './setting.ts'
import type { Notes, Setting } from './setting.ts'

let setting: Setting
let database: Database<Notes>

const alice = user('alice')
const bob = user('bob')

beforeAll(async () => {
  setting = await startSetting()
  database = setting.open({ DATABASE_POOL_SIZE: 1 })
  await database.start()
  for (const owner of ['alice', 'bob']) {
    await database.withPrincipal(user(owner), (tx) =>
      tx
        .insertInto('notes')
        .values({ owner, id: '1', body: `${owner}'s` })
        .execute(),
    )
  }
})
afterAll(() => setting.close())

const notes = (principal = alice) =>
  database.withPrincipal(principal, (tx) => tx.selectFrom('notes').select('owner').execute())

async function claimsOnConnection() {
  const { rows } = await database.withoutPrincipal((tx) =>
    sql<Record<string, string | null>>`
      select session_user, current_user,
        nullif(current_setting('waybill.user_id', true), '') as user_id,
        nullif(current_setting('waybill.permissions', true), '') as permissions,
        pg_backend_pid() as pid`.execute(tx),
  )
  return rows[0]!
}

describe('withPrincipal', () => {
  test('shows each user their own rows only', async () => {
    expect(await notes(alice)).toEqual([{ owner: 'alice' }])
    expect(await notes(bob)).toEqual([{ owner: 'bob' }])
  })

  test('without its policy the same query shows both: the test above can fail', async () => {
    await setting.admin('alter table notes disable row level security')
    expect(await notes(alice)).toHaveLength(2)
    await setting.admin('alter table notes enable row level security')
    expect(await notes(alice)).toHaveLength(1)
  })

  test('refuses a row in the name of another user', async () => {
    const write = database.withPrincipal(alice, (tx) =>
      tx.insertInto('notes').values({ owner: 'bob', id: '2', body: 'forged' }).execute(),
    )
    await expect(write).rejects.toMatchObject({ code: '42501' })
  })

  test('absent claims match nothing', async () => {
    const service = {
      kind: 'service',
      service: 'gateway',
      permissions: ['*'],
      actors: [],
      via: 'service-jwt',
    } as const
    expect(
      await database.withPrincipal(service, (tx) => tx.selectFrom('notes').selectAll().execute()),
    ).toEqual([])
    expect(await notes(user(''))).toEqual([])
  })

  test.each(["x' or '1'='1", "\\' or true --", "'; reset role; --", '$$', 'ü'.repeat(500)])(
    'a hostile user id stays a value: %s',
    async (userId) => {
      expect(await notes(user(userId))).toEqual([])
      const { rows } = await database.withPrincipal(user(userId), (tx) =>
        sql<{ id: string }>`select current_setting('waybill.user_id') as id`.execute(tx),
      )
      expect(rows).toEqual([{ id: userId }])
    },
  )

  test('refuses a claim with NUL, where a query would end', async () => {
    await expect(notes(user('alice\0x'))).rejects.toThrow(TypeError)
    expect(await notes(alice)).toHaveLength(1)
  })

  test('sets every claim, lists separated by spaces', async () => {
    const principal = user('alice', {
      tenantId: 't1',
      workspaceId: 'w1',
      actors: ['llm-proxy', 'gateway'],
      permissions: ['memory.read', 'memory.write'],
    })
    const { rows } = await database.withPrincipal(principal, (tx) =>
      sql`select current_user::text as role, current_setting('waybill.subject') as subject,
        current_setting('waybill.tenant_id') as tenant, current_setting('waybill.workspace_id') as workspace,
        current_setting('waybill.actors') as actors, current_setting('waybill.permissions') as permissions,
        current_setting('waybill.service') as service`.execute(tx),
    )
    expect(rows).toEqual([
      {
        role: 'notes_user',
        subject: 'user:alice',
        tenant: 't1',
        workspace: 'w1',
        actors: 'llm-proxy gateway',
        permissions: 'memory.read memory.write',
        service: '',
      },
    ])
  })

  test('leaves no claim and no role on the pooled connection, whether it commits or rolls back', async () => {
    await notes(alice)
    const before = await claimsOnConnection()
    await expect(database.withPrincipal(alice, (tx) => sql`select 1/0`.execute(tx))).rejects.toThrow(
      'division',
    )
    await expect(database.withPrincipal(alice, () => Promise.reject(new Error('mine')))).rejects.toThrow(
      'mine',
    )
    const after = await claimsOnConnection()
    expect(after).toEqual(before) // the same backend, or this would prove nothing
    expect(after).toMatchObject({ current_user: 'notes', user_id: null, permissions: null })
  })

  test('a request as the user role cannot call set_config to become somebody else', async () => {
    const forge = database.withPrincipal(alice, (tx) =>
      sql`select set_config('waybill.user_id', 'bob', true)`.execute(tx),
    )
    await expect(forge).rejects.toMatchObject({ code: '42501' })
  })

  test('readOnly lets Postgres refuse writes', async () => {
    const write = database.withPrincipal(alice, (tx) => tx.deleteFrom('notes').execute(), { readOnly: true })
    await expect(write).rejects.toMatchObject({ code: '25006' })
    expect(await notes(alice)).toHaveLength(1)
  })

  test('rolls back what it did before an error', async () => {
    const broken = database.withPrincipal(alice, async (tx) => {
      await tx.deleteFrom('notes').execute()
      throw new Error('changed my mind')
    })
    await expect(broken).rejects.toThrow('changed my mind')
    expect(await notes(alice)).toHaveLength(1)
  })

  test('the login role by itself sees no table of the service', async () => {
    const read = database.withoutPrincipal((tx) => tx.selectFrom('notes').selectAll().execute())
    await expect(read).rejects.toMatchObject({ code: '42501' })
  })

  test('takes three round trips for one statement', async () => {
    await notes()
    const queries = vi.spyOn(pg.Client.prototype, 'query')
    await notes()
    expect(queries).toHaveBeenCalledTimes(3)
    queries.mockRestore()
  })

  test('a statement runs no longer than the caller waits', async () => {
    const slow = inRequest({ timeoutMs: 100 }, () =>
      database.withPrincipal(alice, (tx) =>
        // It has no end of its own.
        sql`with recursive r as (select 1 union all select 1 from r) select count(*) from r`.execute(tx),
      ),
    )
    await expect(slow).rejects.toMatchObject({ name: 'Problem', code: 'timeout' })
  })
})
