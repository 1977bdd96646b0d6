import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, FatalStartError } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { predicate } from '../src/backends/lance-predicate.ts'
import { fromRow, toRow } from '../src/backends/lance-row.ts'
import { createLanceBackend } from '../src/backends/lancedb.ts'
import { createLanceTables } from '../src/backends/lance-tables.ts'
import type { LanceTables } from '../src/backends/lance-tables.ts'
import { createLock } from '../src/backends/lock.ts'

const log = createLogger({ service: 'data_store', level: 'silent' })
const HOUR = 3_600_000

let folder: string
let tables: LanceTables
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
  tables = createLanceTables({ path: folder, maintenanceMs: HOUR, log, now: () => Date.now() + 2 * HOUR })
  await tables.start()
})
afterEach(async () => {
  await tables.close()
  await rm(folder, { recursive: true })
})

describe('LanceDB tables', () => {
  test('maintenance leaves few versions and every record', async () => {
    const table = await tables.open('notes', 2)
    for (let n = 0; n < 10; n += 1) {
      await table.add([toRow({ owner: 'alice', id: String(n), data: {}, vector: [1, n] })])
      tables.written(table, 'notes')
    }
    await table.delete("id = '3'")
    expect(await table.listVersions()).toHaveLength(12)
    await tables.maintain()
    expect((await table.listVersions()).length).toBeLessThan(4)
    expect(await table.countRows()).toBe(9)
    await tables.maintain()
  })

  test('a name that is no collection does not reach the native code', async () => {
    for (const name of ['../x', 'A', '', 'a/b', 'a\0', 'a.1', 'a b']) {
      await expect(tables.open(name, 2)).rejects.toThrow('not the name of a collection')
    }
  })

  test('many openers at once get one table', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => tables.open('notes', 2)))
    expect(new Set(opened).size).toBe(1)
  })

  test('a folder that cannot be made ends the start, naming the variable', async () => {
    await writeFile(join(folder, 'file'), '')
    const broken = createLanceTables({ path: join(folder, 'file', 'sub'), maintenanceMs: HOUR, log })
    await expect(broken.start()).rejects.toThrow(FatalStartError)
    await expect(broken.start()).rejects.toThrow(/^LANCEDB_PATH: the folder cannot be made \(ENOTDIR\)/)
  })

  test('before start and after close they are out of reach', async () => {
    const idle = createLanceTables({ path: folder, maintenanceMs: HOUR, log })
    await expect(idle.open('notes', 2)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('many records at once', () => {
  const principal = {
    kind: 'user',
    userId: 'alice',
    role: 'user',
    permissions: [],
    actors: [],
    via: 'jwt',
  } as const
  const operation = {
    principal,
    collection: 'notes',
    succeeded: { action: '', resource: '', outcome: 'success' },
  } as const
  const given = Array.from({ length: 50 }, (_, n) => ({
    id: String(n),
    data: { vector: [1, n] },
    name: `records[${String(n)}].data`,
  }))
  const two = () => Promise.resolve(2)
  const collections = { dimensionsOf: two, claim: two, change: () => Promise.resolve() }

  test('are one commit: there is no moment when some of them are there', async () => {
    const backend = createLanceBackend({ tables, collections, maxDimensions: 2 })
    const table = await tables.open('notes', 2)
    const before = await table.version()
    await backend.create(operation, given, { includeVector: false })
    expect(await table.version()).toBe(before + 1)
    expect(await table.countRows()).toBe(50)
  })

  test('leave nothing behind when the commit fails', async () => {
    const backend = createLanceBackend({ tables, collections, maxDimensions: 2 })
    await backend.create(operation, given.slice(0, 1), { includeVector: false })
    const transactions = join(folder, 'notes.2.lance', '_transactions')
    await rename(transactions, `${transactions}.away`)
    await writeFile(transactions, 'no folder, so that nothing can be written into it')
    await expect(backend.create(operation, given.slice(1), { includeVector: false })).rejects.toThrow()
    await rm(transactions)
    await rename(`${transactions}.away`, transactions)
    expect(await (await tables.open('notes', 2)).countRows()).toBe(1)
  })
})

describe('a row', () => {
  test('of another owner is never given out, whatever the predicate was', () => {
    const row = toRow({ owner: 'bob', id: 'b', data: {}, vector: [1] })
    expect(() => fromRow(row, 'alice', false)).toThrow('found a row of another')
  })

  test.each([0.1, -0.3, 1e-7, 123456.78, 1 / 3, 1e9, 16_777_217])(
    'keeps %d as the 32-bit float it is',
    (number) => {
      const row = { ...toRow({ owner: 'a', id: 'b', data: {}, vector: [] }), vector: [Math.fround(number)] }
      const [back] = fromRow(row, 'a', true).data.vector as number[]
      expect(Math.fround(back!)).toBe(Math.fround(number))
      expect(String(back).length).toBeLessThanOrEqual(12)
    },
  )
})

describe('a predicate', () => {
  test('is made of whole literals', () => {
    expect(
      predicate(
        { column: 'owner', operator: '=', value: "a' OR '1'='1\\" },
        { column: 'id', operator: '>', value: 'x' },
      ),
    ).toBe("owner = 'a'' OR ''1''=''1\\' AND id > 'x'")
    expect(
      predicate(
        { column: 'owner', operator: '=', value: 'a' },
        { column: 'id', operator: 'in', values: ["x') OR ('1'='1", 'y'] },
      ),
    ).toBe("owner = 'a' AND id IN ('x'') OR (''1''=''1', 'y')")
    expect(predicate({ column: 'target.version', operator: '=', value: 3 })).toBe('target.version = 3')
  })
})

describe('a lock', () => {
  test('lets one in at a time per key, in order, and survives errors', async () => {
    const lock = createLock()
    const seen: string[] = []
    const enter = (key: string, name: string, fails = false) =>
      lock(key, async () => {
        seen.push(`${name} in`)
        await Promise.resolve()
        seen.push(`${name} out`)
        if (fails) throw new Error(name)
      })
    const first = enter('a', '1', true)
    const all = [enter('a', '2'), enter('b', 'other'), enter('a', '3')]
    await expect(first).rejects.toThrow('1')
    await Promise.all(all)
    expect(seen.filter((entry) => !entry.startsWith('other'))).toEqual([
      '1 in',
      '1 out',
      '2 in',
      '2 out',
      '3 in',
      '3 out',
    ])
  })
})
