import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Backend } from '../src/backend.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import { counted, given, openLance, operation, vectorCollections } from './fixtures/lance.ts'

let folder: string
let tables: LanceTables
let backend: Backend
const openBackend = () => openLance(folder, vectorCollections(2))
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
  ;({ tables, backend } = await openBackend())
  for (const user of ['alice', 'bob']) {
    const records = [given('a', { vector: [1, 0], n: 0 })]
    await backend.create(operation(user), records, { includeVector: false, onConflict: 'error' })
  }
})
afterEach(async () => {
  await tables.close()
  await rm(folder, { recursive: true })
})

test('an update is one commit, of that user’s row alone', async () => {
  const table = await tables.open('notes.2')
  const before = await table.version()
  await backend.update(operation('alice'), 'a', counted)
  expect(await table.version()).toBe(before + 1)
  expect(await table.countRows()).toBe(2)
  expect(await backend.read(operation('bob'), 'a')).toMatchObject({ version: 1, data: { n: 0 } })
})

test('20 changes of one record at once are made one after another, and all of them count', async () => {
  await Promise.all(Array.from({ length: 20 }, () => backend.update(operation('alice'), 'a', counted)))
  expect(await backend.read(operation('alice'), 'a')).toMatchObject({ version: 21, data: { n: 20 } })
})

test('counts that are under way keep no write from its table', async () => {
  for (let round = 0; round < 10; round += 1) {
    const counts = Array.from({ length: 50 }, () => backend.count(operation('alice'), undefined, 'exact'))
    const updates = Array.from({ length: 5 }, () => backend.update(operation('alice'), 'a', counted))
    await Promise.all([...counts, ...updates, tables.maintain()])
  }
  expect(await backend.read(operation('alice'), 'a')).toMatchObject({ version: 51 })
})

test('a commit that fails leaves the version before, whole', async () => {
  const before = await backend.read(operation('alice'), 'a')
  const transactions = join(folder, 'notes.2.lance', '_transactions')
  await rename(transactions, `${transactions}.away`)
  await writeFile(transactions, 'no folder, so that nothing can be written into it')
  await expect(backend.update(operation('alice'), 'a', counted)).rejects.toThrow()
  await rm(transactions)
  await rename(`${transactions}.away`, transactions)
  const again = await openBackend()
  expect(await again.backend.read(operation('alice'), 'a')).toEqual(before)
  expect(await (await again.tables.open('notes.2')).countRows()).toBe(2)
  await again.tables.close()
})

test('a change that throws, or that finds nothing, commits nothing', async () => {
  const table = await tables.open('notes.2')
  const before = await table.version()
  const refuse = () => {
    throw new Error('not so')
  }
  await expect(backend.update(operation('alice'), 'a', refuse)).rejects.toThrow('not so')
  await expect(backend.delete(operation('alice'), 'a', refuse)).rejects.toThrow('not so')
  expect(await backend.update(operation('alice'), 'b', counted)).toBeUndefined()
  expect(await table.version()).toBe(before)
})

test('kill -9 leaves one whole version, no older than the last one that was acknowledged', async () => {
  const program = fileURLToPath(new URL('fixtures/update-until-killed.ts', import.meta.url))
  for (let round = 1; round <= 4; round += 1) {
    const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exit = once(child, 'exit')
    let acknowledged = 0
    let updates = 0
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line)
      updates += 1
      if (updates === 2 * round) child.kill('SIGKILL')
    }
    await exit
    expect(updates).toBeGreaterThanOrEqual(2 * round)
    const again = await openBackend()
    const rows = await again.backend.find(operation('alice'), {
      filter: undefined,
      order: [{ field: 'id', descending: false }],
      after: undefined,
      limit: 9,
      includeVector: true,
    })
    expect(rows).toHaveLength(1)
    const { version, data } = rows[0]!
    expect(version).toBeGreaterThanOrEqual(acknowledged)
    expect(data).toEqual({ n: version - 1, vector: [1, version - 1] })
    await again.tables.close()
  }
})

test('even of two processes, which there should not be, neither overwrites what it has not seen', async () => {
  const other = await openBackend()
  const tries = Array.from({ length: 20 }, (_, n) =>
    (n % 2 === 0 ? backend : other.backend).update(operation('alice'), 'a', counted).then(
      () => 1,
      () => 0,
    ),
  )
  const acknowledged = (await Promise.all(tries)).reduce<number>((sum, one) => sum + one, 0)
  expect(await backend.read(operation('alice'), 'a')).toMatchObject({
    version: 1 + acknowledged,
    data: { n: acknowledged },
  })
  await other.tables.close()
})

test('a deletion takes the version that it was permitted for, or asks again', async () => {
  const other = await openBackend()
  const table = await tables.open('notes.2')
  const remove = table.delete.bind(table)
  const between = vi.spyOn(table, 'delete').mockImplementationOnce(async (predicate) => {
    await other.backend.update(operation('alice'), 'a', counted)
    return remove(predicate)
  })
  const seen: number[] = []
  expect(await backend.delete(operation('alice'), 'a', ({ version }) => void seen.push(version))).toBe(true)
  expect(seen).toEqual([1, 2])
  expect(between).toHaveBeenCalledTimes(2)
  expect(await backend.read(operation('bob'), 'a')).toMatchObject({ version: 1 })
  await other.tables.close()
})
