import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { FatalStartError } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
let folder: string
beforeEach(async () => {
  setting = await startSetting()
  folder = await mkdtemp(join(tmpdir(), 'migrations-'))
})
afterEach(async () => {
  await setting.close()
  await rm(folder, { recursive: true })
})

async function migrations(files: Record<string, string>): Promise<URL> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return pathToFileURL(`${folder}/`)
}

const tables = async () =>
  (await setting.admin("select tablename as name from pg_tables where schemaname = 'public' order by 1")).map(
    ({ name }) => name,
  )

describe('migrations', () => {
  test('two starters in two processes at once both succeed, and each file runs once', async () => {
    const starter = new URL('./start-once.ts', import.meta.url).pathname
    const env = {
      ...process.env,
      URL: setting.databaseUrl,
      MIGRATION_URL: setting.migrationUrl,
      MIGRATIONS: (
        await migrations({ '0001_once.sql': 'create table once (); select pg_advisory_xact_lock(7);' })
      ).href,
    }
    const start = () => promisify(execFile)(process.execPath, [starter], { env })
    // The first waits for us in the middle of its migration until the others wait for it.
    await setting.admin('select pg_advisory_lock(7)')
    const starting = Promise.all([start(), start(), start()])
    const waiting = "select from pg_locks where locktype = 'advisory' and not granted"
    await vi.waitUntil(async () => (await setting.admin(waiting)).length === 3, { timeout: 30_000 })
    await setting.admin('select pg_advisory_unlock(7)')
    const ends = await starting
    expect(ends.map(({ stdout }) => stdout)).toEqual(['started\n', 'started\n', 'started\n'])
    expect(await setting.admin('select name from kysely_migration')).toEqual([{ name: '0001_once' }])
  }, 60_000)

  test('a failing migration leaves nothing of itself or of those before it, and says where it is', async () => {
    const broken = await migrations({
      '0001_good.sql': 'create table good ();',
      '0002_bad.sql': 'create table half ();\n\nselect nonsense;',
    })
    const start = setting.open({}, broken).start()
    await expect(start).rejects.toThrow(FatalStartError)
    await expect(start).rejects.toThrow('Migration 0002_bad: line 3: column "nonsense" does not exist')
    expect(await tables()).toEqual([])
  })

  test('without the owner URL a stale schema is refused, naming what is missing, and a current one accepted', async () => {
    const withoutOwner = { DATABASE_MIGRATION_URL: undefined }
    const start = setting.open(withoutOwner).start()
    await expect(start).rejects.toThrow(FatalStartError)
    await expect(start).rejects.toThrow('0001_audit, 0001_notes has yet to run. Set DATABASE_MIGRATION_URL')
    await setting.open().start()
    await setting.open(withoutOwner).start()
    const next = await migrations({ '0001_notes.sql': '', '0002_next.sql': '' })
    await expect(setting.open(withoutOwner, next).start()).rejects.toThrow(': 0002_next has yet to run')
  })

  test('a second start runs nothing, and a new file runs alone', async () => {
    await setting.open().start()
    await setting.open().start()
    const next = await migrations({
      '0001_notes.sql': 'not sql, not run',
      '0002_more.sql': 'create table more ();',
    })
    await setting.open({}, next).start()
    expect(await tables()).toContain('more')
  })

  test('a file that is not named as migrations are is refused rather than skipped', async () => {
    const start = setting.open({}, await migrations({ 'notes.sql': '' })).start()
    await expect(start).rejects.toThrow('The migration notes.sql is not named like 0001_what_it_makes.sql.')
  })

  test('an unknown role variable is refused', async () => {
    const start = setting.open({}, await migrations({ '0001_a.sql': 'grant :"nobody" to public' })).start()
    await expect(start).rejects.toThrow('The migration 0001_a.sql uses :"nobody"')
  })
})
