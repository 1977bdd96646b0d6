import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@lancedb/lancedb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Backend } from '../src/backend.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import { given, openLance, operation, vectorCollections } from './fixtures/lance.ts'

const alice = operation('alice')
const NEW = { includeVector: false, onConflict: 'error' } as const
const VECTOR = [0.123456, 0.654321]
/** As they are in a file: the text, the vector, the id. */
const TRACES = ['kanarienvogel', Buffer.from(new Float32Array(VECTOR).buffer), 'canary-id']
const others = Array.from({ length: 100 }, (_, n) =>
  given(`n${String(n)}`, { text: `word${String(n)}`, vector: [1, n] }),
)
const canary = given('canary-id', { text: 'kanarienvogel', vector: VECTOR })

let folder: string
let tables: LanceTables
let backend: Backend
const open = async () => ({ tables, backend } = await openLance(folder, vectorCollections(2)))
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
  await open()
  await backend.create(alice, [...others, canary], NEW)
})
afterEach(async () => {
  await tables.close()
  await rm(folder, { recursive: true })
})

async function files(): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}
/** How many files each trace of the canary is in. */
async function traces(): Promise<number[]> {
  const contents = await Promise.all((await files()).map((path) => readFile(path)))
  return TRACES.map((trace) => contents.filter((content) => content.includes(trace)).length)
}
/** The words that the indices for full-text search have; each index compresses them into an automaton of its own. */
async function words(): Promise<Buffer[]> {
  const paths = (await files()).filter((path) => path.endsWith('tokens.lance'))
  return Promise.all(paths.map((path) => readFile(path)))
}
async function maintain(times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) await tables.maintain()
}
const NOWHERE = [0, 0, 0]

describe('after two runs of maintenance', () => {
  test('a deleted record is in no file, although it is one of a hundred; its words are in no index', async () => {
    await maintain(2)
    const [before] = await words()
    expect((await traces()).every((found) => found > 0)).toBe(true)
    await backend.delete(alice, 'canary-id', () => undefined)
    expect((await traces()).every((found) => found > 0)).toBe(true)
    await maintain(2)
    expect(await traces()).toEqual(NOWHERE)
    const after = await words()
    expect(await backend.count(alice, undefined, 'exact')).toBe(100)
    const search = { text: 'word7', vector: undefined, limit: 9, includeVector: false }
    expect(await backend.search!(alice, search)).toMatchObject([{ id: 'n7', version: 1 }])

    // The same table, which never had the canary.
    await tables.close()
    await rm(folder, { recursive: true })
    await open()
    await backend.create(alice, others, NEW)
    await maintain(2)
    expect(after).toEqual(await words())
    expect(after).not.toEqual([before])
  })

  test('neither is what was overwritten, by a change or by a replacement', async () => {
    await maintain(1)
    const plain = { text: 'plain', vector: [1, 1] }
    await backend.update(alice, 'canary-id', () => ({ ...plain, text: 'kanarienvogel' }))
    await backend.create(alice, [given('canary-id', plain)], { includeVector: false, onConflict: 'replace' })
    await maintain(2)
    expect(await traces()).toEqual([0, 0, 1])
    expect(await backend.read(alice, 'canary-id')).toMatchObject({ data: plain, version: 3 })
  })

  test('nor what the process before this one deleted', async () => {
    await backend.deleteMany(alice, { field: 'data.text', op: 'eq', value: 'kanarienvogel' }, 1)
    await tables.close()
    await open()
    await maintain(2)
    expect(await traces()).toEqual(NOWHERE)
  })

  test('nor what a commit that failed left behind; one that may be under way is left alone', async () => {
    const data = join(folder, 'notes.2.lance', 'data')
    await writeFile(join(data, '0101.lance'), 'kanarienvogel')
    const hourAgo = Date.now() / 1_000 - 3_600
    await utimes(join(data, '0101.lance'), hourAgo, hourAgo)
    await backend.delete(alice, 'canary-id', () => undefined)
    await maintain(1)
    await writeFile(join(data, '0110.lance'), 'of a commit')
    await maintain(1)
    expect(await traces()).toEqual(NOWHERE)
    expect(await readdir(data)).toContain('0110.lance')
  })

  test('one version is left, and then there is nothing to do', async () => {
    for (const { id } of others.slice(0, 9)) await backend.delete(alice, id, () => undefined)
    await maintain(2)
    const table = await tables.open('notes.2')
    const versions = await table.listVersions()
    expect(versions).toHaveLength(1)
    await maintain(2)
    expect(await table.listVersions()).toEqual(versions)
  })
})

test('maintenance that came to its end leaves nothing to the process after it', async () => {
  await backend.delete(alice, 'n1', () => undefined)
  await maintain(2)
  await tables.close()
  await open()
  const table = await tables.open('notes.2')
  const before = await table.version()
  await maintain(2)
  expect(await table.version()).toBe(before)
  // New rows are put in order, but nothing is written anew.
  const update = vi.spyOn(table, 'update')
  await backend.create(alice, [given('later', { vector: [1, 1] })], NEW)
  await maintain(3)
  expect(update).not.toHaveBeenCalled()
  expect(await table.listVersions()).toHaveLength(1)
})

test('a read that was under way has a whole period to end: its files stay until the run after the next', async () => {
  const table = await tables.open('notes.2')
  const reader = await (await connect(folder)).openTable('notes.2')
  await reader.checkout(await table.version())
  await backend.deleteMany(alice, { field: 'id', op: 'prefix', value: 'n' }, 200)
  await maintain(1)
  expect(await reader.query().limit(500).toArray()).toHaveLength(101)
  await maintain(1)
  // A handle of its own: the first may have files in memory.
  const late = await (await connect(folder)).openTable('notes.2')
  await expect(late.checkout(await reader.version())).rejects.toThrow()
})

test('a stream of batches that began before a deletion ends as it began, with maintenance in between', async () => {
  const more = Array.from({ length: 5_000 }, (_, n) => given(`m${String(n)}`, { vector: [1, n] }))
  await backend.create(alice, more, NEW)
  let rows = 0
  for await (const batch of (await tables.open('notes.2')).query()) {
    if (rows === 0) {
      await backend.deleteMany(alice, { field: 'id', op: 'eq', value: 'canary-id' }, 1)
      await maintain(1)
    }
    rows += batch.numRows
  }
  expect(rows).toBe(5_101)
})

test('a run that fails is made up for by the next ones, deletions in between included', async () => {
  const table = await tables.open('notes.2')
  await backend.delete(alice, 'canary-id', () => undefined)
  await backend.create(alice, [given('later', { vector: [1, 1] })], NEW)
  const gone = [...others]
  for (const step of ['update', 'createIndex', 'optimize', 'listVersions'] as const) {
    const failing = vi.spyOn(table, step).mockRejectedValueOnce(new Error('the disk is full'))
    await maintain(1)
    expect(failing).toHaveBeenCalled()
    await backend.delete(alice, gone.pop()!.id, () => undefined)
  }
  await maintain(2)
  expect(await traces()).toEqual(NOWHERE)
  expect(await table.listVersions()).toHaveLength(1)
})

test('a table that is written to often is compacted without waiting for a run', async () => {
  for (let n = 0; n < 200; n += 1) await backend.update(alice, 'canary-id', ({ data }) => data)
  await tables.asWriter('notes', () => Promise.resolve())
  const [latest] = (await (await tables.open('notes.2')).listVersions()).slice(-1)
  expect(Number(latest!.metadata.total_fragments)).toBeLessThan(5)
  await maintain(2)
  expect(await traces()).toEqual([1, 1, 1])
})

test('runs come by themselves, each a period after the one before', async () => {
  await tables.close()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    await open()
    await backend.delete(alice, 'canary-id', () => undefined)
    for (let run = 0; run < 2; run += 1) {
      expect(await traces()).not.toEqual(NOWHERE)
      await vi.advanceTimersByTimeAsync(3_600_000)
      await tables.asWriter('notes', () => Promise.resolve())
    }
    expect(await traces()).toEqual(NOWHERE)
  } finally {
    vi.useRealTimers()
  }
})
