import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Backend, Operation } from '../src/backend.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import { given, openLance, operation } from './fixtures/lance.ts'

const alice = operation('alice')
const bob = operation('bob')
const NEW = { includeVector: false, onConflict: 'error' } as const
const BY_ID = { filter: undefined, order: [{ field: 'id', descending: false }], after: undefined } as const
const SEARCH = { text: 'apple', vector: undefined, limit: 9, includeVector: false }

let folder: string
let tables: LanceTables
let backend: Backend
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
  ;({ tables, backend } = await openLance(folder))
})
afterEach(async () => {
  await tables.close()
  await rm(folder, { recursive: true })
})

const onDisk = async () => (await readdir(folder)).filter((name) => name.includes('.lance'))
const add = (who: Operation, id: string) =>
  backend.create(who, [given(id, { text: 'apple', vector: [1, 0] })], NEW)
const remove = (who: Operation, id: string) => backend.delete(who, id, () => undefined)
async function maintain(times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await tables.maintain()
}

test('a table in which nothing is left is dropped, comes with a next record, and not with a read', async () => {
  for (let round = 0; round < 4; round += 1) {
    await add(alice, 'a')
    await add(bob, `b${String(round)}`)
    await remove(alice, 'a')
    await maintain(3)
    expect(await onDisk()).toEqual(['notes.2.lance'])
    expect(await backend.search!(bob, SEARCH)).toMatchObject([{ id: `b${String(round)}`, version: 1 }])
    await remove(bob, `b${String(round)}`)
    await maintain(1)
    expect(await onDisk()).toEqual(['notes.2.lance'])
    await maintain(1)
    expect(await onDisk()).toEqual([])
    expect(await backend.read(bob, 'a')).toBeUndefined()
    expect(await backend.find(bob, { ...BY_ID, limit: 9, includeVector: true })).toEqual([])
    expect(await backend.count(bob, undefined, 'exact')).toBe(0)
    expect(await backend.search!(bob, SEARCH)).toEqual([])
    expect(await backend.update(bob, 'a', ({ data }) => data)).toBeUndefined()
    expect(await remove(bob, 'a')).toBe(false)
    expect(await backend.deleteMany(bob, { field: 'id', op: 'eq', value: 'a' }, 1)).toEqual([])
    expect(await onDisk()).toEqual([])
  }
})

test('so is one that was empty already when the process before this one ended', async () => {
  await add(alice, 'a')
  await remove(alice, 'a')
  await tables.close()
  ;({ tables, backend } = await openLance(folder))
  await maintain(2)
  expect(await onDisk()).toEqual([])
})

test('another length of vectors takes the place of the first, of which no table is left', async () => {
  for (let length = 1; length <= 8; length += 1) {
    await backend.create(alice, [given('a', { vector: Array<number>(length).fill(1) })], NEW)
    await remove(alice, 'a')
    await maintain(2)
  }
  await add(alice, 'a')
  expect(await onDisk()).toEqual(['notes.2.lance'])
})

test('a read that has begun finds nothing, or what has come since, when its table is dropped', async () => {
  for (const comes of [false, true]) {
    await add(alice, 'a')
    await remove(alice, 'a')
    await maintain(1)
    const table = await tables.open('notes.2')
    const countRows = table.countRows.bind(table)
    vi.spyOn(table, 'countRows').mockImplementationOnce(async (filter) => {
      await maintain(1)
      expect(await onDisk()).toEqual([])
      const counted = countRows(filter)
      await expect(counted).rejects.toThrow('Not found')
      if (comes) await add(alice, 'b')
      return counted
    })
    expect(await backend.count(alice, undefined, 'exact')).toBe(comes ? 1 : 0)
  }
})

test('an error of a table that is there is no dropped table', async () => {
  await add(alice, 'a')
  const table = await tables.open('notes.2')
  const failing = vi.spyOn(table, 'countRows').mockRejectedValue(new Error('the disk is gone'))
  await expect(backend.count(alice, undefined, 'exact')).rejects.toThrow('the disk is gone')
  expect(failing).toHaveBeenCalledTimes(1)
})

test('writes and maintenance at once lose no record', async () => {
  for (let round = 0; round < 10; round += 1) {
    const id = `r${String(round)}`
    const doing = [tables.maintain(), add(alice, id), tables.maintain(), backend.search!(alice, SEARCH)]
    await Promise.all(doing)
    expect((await backend.search!(alice, SEARCH)).map((found) => found.id)).toEqual([id])
    const others = [remove(alice, id), tables.maintain(), tables.maintain(), backend.read(alice, id)]
    await Promise.all(others)
    expect(await backend.count(alice, undefined, 'exact')).toBe(0)
  }
})
