import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { inRequest, startSetting, user } from './setting.ts'
import type { Notes, Setting } from './setting.ts'

let setting: Setting
let database: Database<Notes>
const alice = user('alice', { actors: ['llm-proxy', 'gateway'] })
const entry = { action: 'note.read', resource: 'notes/1', outcome: 'success' } as const

beforeAll(async () => {
  setting = await startSetting()
  database = setting.open()
  await database.start()
})
beforeEach(() => setting.admin('truncate audit'))
afterAll(() => setting.close())

const rows = () => setting.admin('select * from audit order by id')

describe('recordAudit', () => {
  test('names the nearest service as the actor, and the user it acts for', async () => {
    await inRequest({ principal: alice }, () => database.withPrincipal(alice, (tx) => recordAudit(tx, entry)))
    expect(await rows()).toMatchObject([
      {
        actor: 'service:llm-proxy',
        on_behalf_of: 'user:alice',
        actors: ['llm-proxy', 'gateway'],
        via: 'jwt',
        action: 'note.read',
        resource: 'notes/1',
        outcome: 'success',
        request_id: expect.stringMatching(/^[\w-]{36}$/) as string,
      },
    ])
  })

  test('names the user as the actor when nothing is in between', async () => {
    const direct = user('alice')
    await inRequest({ principal: direct }, () =>
      database.withPrincipal(direct, (tx) => recordAudit(tx, entry)),
    )
    expect(await rows()).toMatchObject([{ actor: 'user:alice', on_behalf_of: null, actors: [] }])
  })

  test('is never without an actor: anonymous in a request, the service outside', async () => {
    await inRequest({}, () => database.withoutPrincipal((tx) => recordAudit(tx, entry)))
    await database.withoutPrincipal((tx) => recordAudit(tx, entry))
    await database.withoutPrincipal((tx) => recordAudit(tx, { ...entry, principal: user('carol') }))
    expect((await rows()).map(({ actor }) => actor)).toEqual([
      'anonymous',
      'service:notes-service',
      'user:carol',
    ])
  })

  test('is there exactly when the work is', async () => {
    const broken = database.withPrincipal(alice, async (tx) => {
      await recordAudit(tx, { ...entry, principal: alice })
      throw new Error('undone')
    })
    await expect(broken).rejects.toThrow('undone')
    expect(await rows()).toEqual([])
  })

  test('the database refuses a row in the name of another subject', async () => {
    const forged = database.withPrincipal(alice, (tx) =>
      recordAudit(tx, { ...entry, principal: user('bob') }),
    )
    await expect(forged).rejects.toMatchObject({ code: '42501' })
  })

  test.each([
    'update audit set actor = actor',
    'delete from audit',
    'truncate audit',
    'select actor from audit',
  ])('is append-only for both roles of the service: %s', async (statement) => {
    await expect(database.withPrincipal(alice, (tx) => sql.raw(statement).execute(tx))).rejects.toMatchObject(
      { code: '42501' },
    )
    await expect(database.withoutPrincipal((tx) => sql.raw(statement).execute(tx))).rejects.toMatchObject({
      code: '42501',
    })
  })
})
