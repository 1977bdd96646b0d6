import { randomUUID } from 'node:crypto'
import { lintRowSecurity } from '@waybill/database'
import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Role } from '../src/roles.ts'
import type { Tables } from '../src/tables.ts'
import { makeWorld, principalOf, startSetting } from './setting.ts'
import type { Setting, World } from './setting.ts'

let setting: Setting
let ours: World
let theirs: World

beforeAll(async () => {
  setting = await startSetting({ RECONCILE_INTERVAL_MS: '86400000' })
})
afterAll(() => setting.close())
beforeEach(async () => {
  await setting.admin('truncate workspaces, idempotency_keys, abandoned_baskets cascade')
  ours = await makeWorld(setting)
  theirs = await makeWorld(setting)
})

type Who = Role | 'removed' | 'outsider'
const as = <T>(who: Who, work: (tx: Transaction<Tables>) => Promise<T>) =>
  setting.database.withPrincipal(principalOf(ours.users[who]), work)

/** The workspaces in what a query sees that forgets its where, as the role that requests run as. */
const SEEN = {
  workspaces: async (tx: Transaction<Tables>) =>
    (await tx.selectFrom('workspaces').select('id').execute()).map(({ id }) => id),
  memberships: async (tx: Transaction<Tables>) =>
    (await tx.selectFrom('memberships').select('workspace_id').distinct().execute()).map(
      (row) => row.workspace_id,
    ),
  projects: async (tx: Transaction<Tables>) =>
    (await tx.selectFrom('projects').select('workspace_id').execute()).map((row) => row.workspace_id),
}

describe.each(Object.entries(SEEN))('%s', (table, seen) => {
  test.each(['owner', 'admin', 'member', 'viewer'] as const)(
    'a query without where shows the %s their workspace only',
    async (who) => {
      expect(await as(who, seen)).toEqual([ours.workspaceId])
    },
  )

  test.each(['removed', 'outsider'] as const)('a query without where shows the %s nothing', async (who) => {
    expect(await as(who, seen)).toEqual([])
  })

  test('a transaction without a user sees nothing', async () => {
    expect(await setting.database.withPrincipal(principalOf(''), seen)).toEqual([])
  })

  test('with a policy that lets all pass, both workspaces are seen: the tests above can fail', async () => {
    await setting.admin(`create policy let_all_pass on ${table} using (true)`)
    try {
      const all = [ours.workspaceId, theirs.workspaceId].sort()
      expect((await as('viewer', seen)).sort()).toEqual(all)
      expect((await as('outsider', seen)).sort()).toEqual(all)
    } finally {
      await setting.admin(`drop policy let_all_pass on ${table}`)
    }
  })
})

describe('writes that the code would never send are refused by the database', () => {
  const addSelf = (role: Role) => (tx: Transaction<Tables>) =>
    tx
      .insertInto('memberships')
      .values({ workspace_id: theirs.workspaceId, user_id: ours.users.owner, role })
      .execute()
  const addFriend = (role: Role) => (tx: Transaction<Tables>) =>
    tx.insertInto('memberships').values({ workspace_id: ours.workspaceId, user_id: 'friend', role }).execute()
  const project = (world: World) => (tx: Transaction<Tables>) =>
    tx
      .insertInto('projects')
      .values({
        id: randomUUID(),
        workspace_id: world.workspaceId,
        name: 'x',
        description: '',
        basket_id: randomUUID(),
      })
      .execute()

  const writes: [string, Who, (tx: Transaction<Tables>) => Promise<unknown>][] = [
    ['an outsider lets themself in', 'outsider', (tx) => addSelf('viewer')(tx)],
    [
      'an owner lets themself in elsewhere, as the first owner would be',
      'owner',
      (tx) => addSelf('owner')(tx),
    ],
    ['a viewer adds somebody', 'viewer', addFriend('viewer')],
    ['a member adds somebody', 'member', addFriend('viewer')],
    ['an admin makes an admin', 'admin', addFriend('admin')],
    ['an admin makes an owner', 'admin', addFriend('owner')],
    ['a viewer makes a project', 'viewer', (tx) => project(ours)(tx)],
    ['an owner makes a project elsewhere', 'owner', (tx) => project(theirs)(tx)],
    [
      'a member makes themself owner',
      'member',
      (tx) => tx.updateTable('memberships').set({ role: 'owner' }).execute(),
    ],
    [
      'a project moves to another workspace',
      'owner',
      (tx) => tx.updateTable('projects').set({ workspace_id: theirs.workspaceId }).execute(),
    ],
    [
      'a workspace in the name of somebody else',
      'owner',
      (tx) =>
        tx
          .insertInto('workspaces')
          .values({ id: randomUUID(), name: 'x', kind: 'team', created_by: theirs.users.owner })
          .execute(),
    ],
    [
      'a project in the name of somebody else',
      'owner',
      (tx) =>
        tx
          .insertInto('projects')
          .values({
            id: randomUUID(),
            workspace_id: ours.workspaceId,
            name: 'x',
            description: '',
            basket_id: randomUUID(),
            created_by: ours.users.admin,
          })
          .execute(),
    ],
    [
      'the claims are rewritten',
      'viewer',
      (tx) => sql`select set_config('waybill.user_id', 'x', true)`.execute(tx),
    ],
  ]
  test.each(writes)('%s', async (_, who, write) => {
    await expect(as(who, write)).rejects.toMatchObject({ code: '42501' })
  })

  test.each<[Who, number]>([
    ['viewer', 0],
    ['outsider', 0],
    ['member', 1],
    ['admin', 1],
    ['owner', 1],
  ])('a delete of all projects by the %s takes %i of theirs, and none of others', async (who, count) => {
    const result = await as(who, (tx) => tx.deleteFrom('projects').executeTakeFirstOrThrow())
    expect(Number(result.numDeletedRows)).toBe(count)
    expect(await setting.admin('select 1 from projects')).toHaveLength(2 - count)
  })

  test.each<[Who, Role[]]>([
    ['viewer', ['viewer']],
    ['member', ['member']],
    ['admin', ['admin', 'member', 'viewer']],
    ['owner', ['owner', 'admin', 'member', 'viewer']],
  ])(
    'a delete of all members by the %s takes those whom the role may remove, and oneself',
    async (who, gone) => {
      await as(who, (tx) => tx.deleteFrom('memberships').execute())
      const left = await setting.admin('select workspace_id, role from memberships')
      expect(left.filter((row) => row.workspace_id === theirs.workspaceId)).toHaveLength(4)
      expect(left.filter((row) => row.workspace_id === ours.workspaceId)).toHaveLength(4 - gone.length)
    },
  )
})

test('a new workspace has its creator as owner by the same statement', async () => {
  const id = randomUUID()
  await as('outsider', (tx) => tx.insertInto('workspaces').values({ id, name: 'x', kind: 'team' }).execute())
  expect(await setting.admin('select user_id, role from memberships where workspace_id = $1', [id])).toEqual([
    { user_id: ours.users.outsider, role: 'owner' },
  ])
})

test("the keys of one user's requests are not another's to see, or to answer", async () => {
  const taken = { key: 'k', fingerprint: 'f', project_id: randomUUID() }
  await as('owner', (tx) => tx.insertInto('idempotency_keys').values(taken).execute())
  const seen = await as('admin', (tx) => tx.selectFrom('idempotency_keys').select('key').execute())
  expect(seen).toEqual([])
  await as('admin', (tx) => tx.updateTable('idempotency_keys').set({ answer: '{}' }).execute())
  await as('admin', (tx) => tx.deleteFrom('idempotency_keys').execute())
  expect(await setting.admin('select key, answer from idempotency_keys')).toEqual([
    { key: 'k', answer: null },
  ])
})

describe('housekeeping, which runs for no user', () => {
  test('sees no workspace and no member', async () => {
    for (const table of ['workspaces', 'memberships'] as const) {
      const read = setting.database.withoutPrincipal((tx) => tx.selectFrom(table).selectAll().execute())
      await expect(read).rejects.toMatchObject({ code: '42501' })
    }
  })

  test('cannot see or delete an active project, nor read names', async () => {
    const housekeeping = setting.database.withoutPrincipal.bind(setting.database)
    expect(await housekeeping((tx) => tx.selectFrom('projects').select('id').execute())).toEqual([])
    await housekeeping((tx) => tx.deleteFrom('projects').execute())
    expect(await setting.admin('select 1 from projects')).toHaveLength(2)
    await expect(
      housekeeping((tx) => tx.selectFrom('projects').select('name').execute()),
    ).rejects.toMatchObject({ code: '42501' })
  })
})

test('the lookup that runs as the owner knows the memberships of the caller only, and is not for everybody', async () => {
  const [found] = await as('viewer', async (tx) => {
    const result = await sql<{ ids: string[] }>`
      select workspaces_as('owner', 'admin', 'member', 'viewer') as ids`.execute(tx)
    return result.rows
  })
  expect(found?.ids).toEqual([ours.workspaceId])
  const call = setting.database.withoutPrincipal((tx) => sql`select workspaces_as('owner')`.execute(tx))
  await expect(call).rejects.toMatchObject({ code: '42501' })
})

test('the policy is evaluated once per query, and lists use their index', async () => {
  await setting.admin(
    `insert into projects (id, workspace_id, name, status, basket_id, created_by)
     select gen_random_uuid(), $1, n::text, 'active', gen_random_uuid(), 'x' from generate_series(1, 3000) n`,
    [theirs.workspaceId],
  )
  await setting.admin('analyze projects')
  const plan = await as('viewer', async (tx) => {
    const { rows } = await sql<{ 'QUERY PLAN': string }>`
      explain select * from projects where workspace_id = ${ours.workspaceId} and status = 'active'
      order by created_at desc, id desc limit 20`.execute(tx)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  })
  expect(plan).toContain('projects_newest')
  expect(plan.match(/^ *InitPlan/gm)).toHaveLength(1)
})

test('the lint of row-level security finds nothing', async () => {
  const db = {
    query: async (text: string, values?: unknown[]) => ({ rows: await setting.admin(text, values) }),
  }
  const findings = await lintRowSecurity(db, {
    loginRole: 'work_platform',
    userRole: 'work_platform_user',
    exceptions: {
      'definer-function public.workspaces_as':
        'A policy of memberships cannot query memberships; what it tells is of the caller only, as a policy on its owner makes sure.',
    },
  })
  expect(findings).toEqual([])
})
