import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '@waybill/database'
import { startSetting, user } from './setting.ts'
import type { Notes, Setting } from './setting.ts'

let setting: Setting
let database: Database<Notes>

beforeAll(async () => {
  setting = await startSetting()
  database = setting.open({ DATABASE_POOL_SIZE: 1 })
  await database.start()
  await database.withPrincipal(user('bob'), (tx) =>
    tx.insertInto('notes').values({ owner: 'bob', id: '1', body: "bob's" }).execute(),
  )
})
afterAll(() => setting.close())

/** What alice then sees of the notes. */
const afterwards = (statement: ReturnType<typeof sql>) =>
  database.withPrincipal(user('alice'), async (tx) => {
    await statement.execute(tx)
    return tx.selectFrom('notes').select('owner').execute()
  })

describe('SQL that found its way into a query (docs/adr/0003)', () => {
  test.each([
    ['a claim', `set_config('waybill.user_id', 'bob', true)`],
    ['the role', `set_config('role', 'notes', true)`],
    ['a claim, from a subquery', `(select set_config('waybill.user_id', 'bob', false) from notes limit 1)`],
  ])('as an expression cannot change %s', async (_what, expression) => {
    await expect(afterwards(sql`select ${sql.raw(expression)}`)).rejects.toMatchObject({ code: '42501' })
  })

  test('as an expression cannot write the view of the settings either', async () => {
    const update = sql`update pg_settings set setting = 'bob' where name = 'waybill.user_id'`
    await expect(afterwards(update)).rejects.toMatchObject({ code: '42501' })
  })

  const stacked = [`set local waybill.user_id = 'bob'`, 'reset role', `set role notes`]

  test.each(stacked)('as a statement after one with a parameter is refused: %s', async (statement) => {
    const injected = afterwards(sql`select ${'input'}::text; ${sql.raw(statement)}`)
    await expect(injected).rejects.toMatchObject({ code: '42601' })
  })

  test('and in a parameter it stays a value', async () => {
    expect(await afterwards(sql`select ${"'; set local waybill.user_id = 'bob'; --"}::text`)).toEqual([])
  })

  test('but as a statement in a query without parameters it would take another identity: never build one of input', async () => {
    expect(await afterwards(sql`select 1; set local waybill.user_id = 'bob'`)).toEqual([{ owner: 'bob' }])
    await expect(afterwards(sql`select 1; reset role`)).rejects.toThrow('permission denied for table notes')
  })
})
