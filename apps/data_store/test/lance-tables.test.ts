import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@lancedb/lancedb'
import { createLogger, FatalStartError } from '@waybill/service-kit'
import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLock } from '../src/backends/lock.ts'
import { toSql } from '../src/backends/lancedb/predicate.ts'
import { fromRow, toRecord, toRow } from '../src/backends/lancedb/row.ts'
import { createLanceTables, tableName } from '../src/backends/lancedb/tables.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import { openLance, operation, vectorCollections } from './fixtures/lance.ts'

const log = createLogger({ service: 'data_store', level: 'silent' })
const HOUR = 3_600_000

let folder: string
let tables: LanceTables
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
  ;({ tables } = await openLance(folder))
})
afterEach(async () => {
  await tables.close()
  await rm(folder, { recursive: true })
})

describe('LanceDB tables', () => {
  test('a name that is no collection does not reach the native code, nor does a length that is none', async () => {
    for (const collection of ['../x', 'A', '', 'a/b', 'a\0', 'a.1', 'a b']) {
      await expect(tables.open(tableName(collection, 2))).rejects.toThrow('not the name of a table')
    }
    for (const length of [-1, 0.5, NaN, Infinity, 1e6]) {
      await expect(tables.open(tableName('notes', length))).rejects.toThrow('not the name of a table')
    }
  })

  test('many openers at once get one table', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => tables.open('notes.2')))
    expect(new Set(opened).size).toBe(1)
    expect(await opened[0]!.listIndices()).toHaveLength(1)
  })

  test.each([0, 2])(
    'a table of the time before scopes and text, with %d records, is taken over',
    async (count) => {
      const text = (name: string) => new Field(name, new Utf8(), false)
      const vector = new FixedSizeList(2, new Field('item', new Float32(), true))
      const columns = [text('owner'), text('id'), text('data'), new Field('vector', vector, false)]
      const times = [new Field('version', new Int32(), false), text('created_at'), text('updated_at')]
      const old = await connect(folder)
      const table = await old.createEmptyTable('notes.2', new Schema([...columns, ...times]))
      const at = '2026-01-01T00:00:00.000Z'
      const row = (id: string) => ({
        owner: 'alice',
        id,
        data: JSON.stringify({ title: `word ${id}` }),
        vector: [1, 0.5],
        version: 3,
        created_at: at,
        updated_at: at,
      })
      if (count > 0) await table.add([row('a'), row('b')])
      const { tables, backend } = await openLance(folder, vectorCollections(2))
      const search = { text: 'word', vector: undefined, limit: 9, includeVector: true }
      const found = await backend.search!(operation('alice'), search)
      expect(found).toHaveLength(count)
      if (count > 0)
        expect(await backend.read(operation('alice'), 'a')).toEqual({
          id: 'a',
          data: { title: 'word a', vector: [1, 0.5] },
          version: 3,
          owner: 'alice',
          created_at: at,
          updated_at: at,
        })
      expect(await backend.update(operation('alice'), 'c', ({ data }) => data)).toBeUndefined()
      await tables.close()
    },
  )

  test('a folder that cannot be made ends the start, naming the variable', async () => {
    await writeFile(join(folder, 'file'), '')
    const broken = createLanceTables({ path: join(folder, 'file', 'sub'), maintenanceMs: HOUR, log })
    await expect(broken.start()).rejects.toThrow(FatalStartError)
    await expect(broken.start()).rejects.toThrow(/^LANCEDB_PATH: the folder cannot be made \(ENOTDIR\)/)
  })

  test('before start and after close they are out of reach', async () => {
    const idle = createLanceTables({ path: folder, maintenanceMs: HOUR, log })
    await expect(idle.open('notes.2')).rejects.toMatchObject({ code: 'unavailable' })
    await tables.close()
    await expect(tables.open('notes.2')).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('a row', () => {
  test('of another owner, or of another scope, is never given out, whatever the predicate was', () => {
    const row = toRow({ key: 'user:bob', id: 'b', data: {}, vector: [1] })
    expect(fromRow(row, operation('bob'))).toMatchObject({ id: 'b', owner: 'bob' })
    expect(() => fromRow(row, operation('alice'))).toThrow('found a row of another')
    expect(() => fromRow(row, operation('bob', 'tenant'))).toThrow('found a row of another')
  })

  test.each([0.1, -0.3, 1e-7, 123456.78, 1 / 3, 1e9, 16_777_217])(
    'keeps %d as the 32-bit float it is',
    (number) => {
      const row = toRow({ key: 'user:a', id: 'b', data: {}, vector: [number] })
      const [back] = toRecord(fromRow(row, operation('a')), true).data.vector as number[]
      expect(Math.fround(back!)).toBe(Math.fround(number))
      expect(String(back).length).toBeLessThanOrEqual(12)
    },
  )

  test('has every text of its data to be found by, and no names of members', () => {
    const data = { title: 'one', n: 1, list: ['two', { deep: 'three' }], none: null }
    expect(toRow({ key: 'user:a', id: 'b', data, vector: [] }).text).toBe('one\ntwo\nthree')
  })
})

describe('a predicate', () => {
  test('is made of whole literals', () => {
    const hostile = toSql({
      and: [
        { column: 'owner', operator: '=', value: "a' OR '1'='1\\" },
        { not: { column: 'id', operator: 'in', values: ["x') OR ('1'='1", 'y'] } },
      ],
    })
    expect(hostile).toBe("(owner = 'a'' OR ''1''=''1\\') AND (NOT (id IN ('x'') OR (''1''=''1', 'y')))")
    expect(toSql({ column: 'version', operator: '<=', value: 3 })).toBe('version <= 3')
    expect(() => toSql({ column: 'version', operator: '=', value: NaN })).toThrow('not a whole number')
  })

  test('of no conditions holds for all, of no choices for none', () => {
    expect(toSql({ and: [] })).toBe('true')
    expect(toSql({ or: [] })).toBe('false')
    expect(toSql({ column: 'id', operator: 'in', values: [] })).toBe('false')
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
