import { Problem, Secret } from '@waybill/service-kit'
import { freePort, startPostgres } from '@waybill/dev-env'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isUndecided } from '@waybill/database'
import type { Database } from '@waybill/database'
import { startSetting, user } from './setting.ts'
import type { Notes, Setting } from './setting.ts'

let setting: Setting
let database: Database<Notes>
const alice = user('alice')

beforeAll(async () => {
  setting = await startSetting()
  database = setting.open({ DATABASE_POOL_SIZE: 1 })
  await database.start()
})
afterAll(() => setting.close())

const works = () => database.withPrincipal(alice, (tx) => tx.selectFrom('notes').selectAll().execute())
const kill = (where: string) =>
  setting.admin(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'notes' and ${where}`,
  )
const gone = { name: 'Problem', code: 'unavailable', headers: { 'Retry-After': '1' } }

describe('when a connection dies', () => {
  test('between two statements, the request is answered 503 and the next one works', async () => {
    const interrupted = database.withPrincipal(alice, async (tx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
      await kill(`pid = ${String(rows[0]!.pid)}`)
      return tx.selectFrom('notes').selectAll().execute()
    })
    const error: unknown = await interrupted.catch((thrown: unknown) => thrown)
    expect([error, isUndecided(error)]).toEqual([expect.objectContaining(gone), false])
    expect(await works()).toEqual([])
  })

  test('before the commit, nothing is kept and no client is lost', async () => {
    const interrupted = database.withPrincipal(alice, async (tx) => {
      await tx.insertInto('notes').values({ owner: 'alice', id: 'lost', body: '' }).execute()
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
      await kill(`pid = ${String(rows[0]!.pid)}`)
    })
    const error: unknown = await interrupted.catch((thrown: unknown) => thrown)
    // To whom it happens it looks like an answer to the commit that got lost.
    expect([error, isUndecided(error)]).toEqual([expect.objectContaining(gone), true])
    expect(await works()).toEqual([])
  })

  test('while idle in the pool, the next request does not notice or is answered 503, and the one after works', async () => {
    await works()
    await kill("state = 'idle'")
    await works().catch((error: unknown) => {
      expect(error).toMatchObject(gone)
    })
    expect(await works()).toEqual([])
  })

  test('a begin that fails half-way does not leave an open transaction to the next borrower', async () => {
    await setting.admin('revoke notes_user from notes')
    await expect(works()).rejects.toMatchObject({ code: '42501' })
    await setting.admin('grant notes_user to notes with inherit false, set true')
    expect(await works()).toEqual([])
    expect(
      await setting.admin("select 1 from pg_stat_activity where usename = 'notes' and state like 'idle in%'"),
    ).toEqual([])
  })
})

describe('when Postgres is busy', () => {
  test('waiting for a connection ends in 503', async () => {
    const small = setting.open({ DATABASE_POOL_SIZE: 1, DATABASE_CONNECT_TIMEOUT_MS: 1_000 })
    await small.start()
    const second = await small.withPrincipal(alice, () => small.check().catch((error: unknown) => error))
    expect(second).toMatchObject(gone)
    await small.check()
  })

  test('waiting for a lock ends in 503', async () => {
    const impatient = setting.open({ DATABASE_LOCK_TIMEOUT_MS: 20 })
    await impatient.start()
    const both = database.withPrincipal(alice, async (tx) => {
      await tx.insertInto('notes').values({ owner: 'alice', id: 'locked', body: '' }).execute()
      return impatient.withPrincipal(alice, (other) =>
        other.insertInto('notes').values({ owner: 'alice', id: 'locked', body: '' }).execute(),
      )
    })
    await expect(both).rejects.toMatchObject({
      ...gone,
      message: 'Another request is at work on the same data.',
    })
  })
})

describe('while Postgres is down', () => {
  test('start fails in a way that a retry mends, and the same database then starts', async () => {
    const port = await freePort()
    const passwordOf = () => 'right'
    const url = `postgresql://notes:right@127.0.0.1:${String(port)}/notes`
    const late = setting.open({
      DATABASE_URL: new Secret(url),
      DATABASE_MIGRATION_URL: new Secret(url.replace('notes:', 'notes_owner:')),
    })
    await expect(late.start()).rejects.toMatchObject({ ...gone, constructor: Problem })
    await expect(late.check()).rejects.toMatchObject(gone)
    const server = await startPostgres({ port, services: ['notes'], passwordOf })
    try {
      await late.start()
      await late.check()
      await late.close()
    } finally {
      await server.close()
    }
    await expect(late.check()).rejects.toMatchObject(gone)
  })
})
