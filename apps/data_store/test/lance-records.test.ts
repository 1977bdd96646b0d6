import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { dataStore } from '@waybill/contracts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BULK_CHANGE_BYTES } from '../src/backend.ts'
import type { Backend, Operation } from '../src/backend.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import type { Query } from '../src/query/query.ts'
import { given, openLance, operation } from './fixtures/lance.ts'
import { HOSTILE } from './setting.ts'

const ALL: Query = {
  filter: undefined,
  order: [{ field: 'id', descending: false }],
  after: undefined,
  limit: 100,
  includeVector: true,
}
const NEW = { includeVector: true, onConflict: 'error' } as const
const EVEN = { field: 'data.even', op: 'eq', value: true } as const
const alice = operation('alice')

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

const all = (who: Operation) => backend.find(who, ALL)
const table = () => tables.open('notes.0')
/** How many commits `work` makes. */
async function commitsOf(work: () => Promise<unknown>): Promise<number> {
  const before = await (await table()).version()
  await work()
  return (await (await table()).version()) - before
}
const fill = (who: Operation, count = 10) =>
  backend.create(
    who,
    Array.from({ length: count }, (_, n) => given(`n${String(n)}`, { n, even: n % 2 === 0 })),
    NEW,
  )

describe('each write of many records is one commit', () => {
  test('creations, which leave nothing behind when it fails', async () => {
    expect(await commitsOf(() => fill(alice))).toBe(1)
    const transactions = join(folder, 'notes.0.lance', '_transactions')
    await rename(transactions, `${transactions}.away`)
    await writeFile(transactions, 'no folder, so that nothing can be written into it')
    await expect(backend.create(alice, [given('x'), given('y')], NEW)).rejects.toThrow()
    await rm(transactions)
    await rename(`${transactions}.away`, transactions)
    expect(await all(alice)).toHaveLength(10)
  })

  test('replacements, with what is new among them: the next version, created when it was', async () => {
    const [first] = await fill(alice, 1)
    const records = [given('n0', { new: 1 }), given('n1', { new: 2 })]
    const replace = () => backend.create(alice, records, { includeVector: true, onConflict: 'replace' })
    expect(await commitsOf(replace)).toBe(1)
    expect(await all(alice)).toMatchObject([
      { id: 'n0', version: 2, data: { new: 1 }, created_at: first!.created_at },
      { id: 'n1', version: 1, data: { new: 2 } },
    ])
  })

  test('changes, of the records that the filter lets through and no others', async () => {
    await fill(alice)
    await fill(operation('bob'))
    const change = () => backend.updateMany(alice, EVEN, ({ data }) => ({ ...data, seen: true }), 5)
    expect(await commitsOf(change)).toBe(1)
    for (const { data, version } of await all(alice)) {
      expect({ seen: data.seen, version }).toEqual(
        data.even === true ? { seen: true, version: 2 } : { seen: undefined, version: 1 },
      )
    }
    expect((await all(operation('bob'))).every(({ version }) => version === 1)).toBe(true)
  })

  test('deletions', async () => {
    await fill(alice)
    await fill(operation('bob'))
    const remove = () => backend.deleteMany(alice, EVEN, 5)
    expect(await commitsOf(remove)).toBe(1)
    expect((await all(alice)).map(({ data }) => data.even)).toEqual([false, false, false, false, false])
    expect(await all(operation('bob'))).toHaveLength(10)
  })

  test('and none at all when more would be affected, when one change throws, or when nothing is meant', async () => {
    await fill(alice)
    const none = { field: 'data.n', op: 'gt', value: 99 } as const
    const refuseOne = ({ data }: { data: Record<string, unknown> }) => {
      if (data.n === 8) throw new Error('not this one')
      return {}
    }
    const attempts = async () => {
      const tooMany = { code: 'conflict', message: expect.stringContaining('max_affected') as string }
      await expect(backend.updateMany(alice, EVEN, () => ({}), 4)).rejects.toMatchObject(tooMany)
      await expect(backend.deleteMany(alice, EVEN, 4)).rejects.toMatchObject(tooMany)
      await expect(backend.updateMany(alice, EVEN, refuseOne, 5)).rejects.toThrow('not this one')
      expect(await backend.updateMany(alice, none, () => ({}), 5)).toEqual([])
      expect(await backend.deleteMany(alice, none, 5)).toEqual([])
    }
    expect(await commitsOf(attempts)).toBe(0)
  })
})

describe('a deletion of many records', () => {
  test('reads none of their data, when the filter asks for none', async () => {
    await fill(alice)
    const parse = vi.spyOn(JSON, 'parse')
    const filter = { and: [{ field: 'id', op: 'prefix', value: 'n' } as const, EVEN] }
    expect(await backend.deleteMany(alice, { field: 'id', op: 'ge', value: 'n6' }, 4)).toHaveLength(4)
    expect(parse.mock.calls.filter(([text]) => text !== '{}')).toEqual([])
    expect(await backend.deleteMany(alice, filter, 4)).toEqual(['n0', 'n2', 'n4'])
    expect(parse.mock.calls.filter(([text]) => text !== '{}')).toHaveLength(6)
    parse.mockRestore()
  })

  test('holds none of it: it takes records that are too large together to be changed', async () => {
    const large = 'x'.repeat(BULK_CHANGE_BYTES / 8)
    for (let n = 0; n < 9; n += 1) await backend.create(alice, [given(`l${String(n)}`, { large, n })], NEW)
    const filter = { field: 'data.n', op: 'ge', value: 0 } as const
    const tooMuch = { code: 'unprocessable' }
    await expect(backend.updateMany(alice, filter, () => ({}), 9)).rejects.toMatchObject(tooMuch)
    expect(await backend.deleteMany(alice, filter, 9)).toHaveLength(9)
  })
})

describe('what others fell over', () => {
  test('8 creations of one new id at once: one row, and seven that are told', async () => {
    const tries = Array.from({ length: 8 }, (_, n) => backend.create(alice, [given('same', { n })], NEW))
    const outcomes = await Promise.allSettled(tries)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' })
    }
    expect(await (await table()).countRows()).toBe(1)
  })

  test('a merge over another’s row: user, tenant and workspace of one name have each their own', async () => {
    const owners = [alice, operation('bob'), operation('alice', 'tenant'), operation('alice', 'workspace')]
    for (const [n, owner] of owners.entries()) await backend.create(owner, [given('a', { n })], NEW)
    await backend.create(alice, [given('a', { n: 'new' })], { includeVector: true, onConflict: 'replace' })
    await backend.update(alice, 'a', ({ data }) => ({ ...data, more: true }))
    await backend.updateMany(alice, { field: 'id', op: 'eq', value: 'a' }, ({ data }) => data, 9)
    expect(await all(alice)).toMatchObject([{ data: { n: 'new', more: true }, version: 4 }])
    for (const [n, owner] of owners.entries()) {
      if (n > 0) expect(await all(owner)).toMatchObject([{ data: { n }, version: 1, owner: owner.owner }])
    }
    await backend.delete(alice, 'a', () => undefined)
    expect(await (await table()).countRows()).toBe(3)
  })

  test('values that close a quote or a bracket widen nothing, as owners or in filters', async () => {
    await fill(operation('bob'), 2)
    for (const value of [...HOSTILE, '1=0) OR (true', "bob' OR owner = 'user:bob", 'a\0b']) {
      const who = operation(value)
      expect(await all(who)).toEqual([])
      expect(await backend.count(who, undefined, 'exact')).toBe(0)
      const filter: dataStore.Filter = {
        or: [
          { field: 'id', op: 'eq', value },
          { field: 'id', op: 'in', value: [value] },
        ],
      }
      expect(await backend.find(alice, { ...ALL, filter })).toEqual([])
      expect(await backend.deleteMany(operation('bob'), filter, 100)).toEqual([])
      expect(await backend.read(operation('bob'), value)).toBeUndefined()
    }
    expect(await all(operation('bob'))).toHaveLength(2)
  })

  test('a stale handle: a second one on the folder reads what the first has just written', async () => {
    const other = await openLance(folder, undefined)
    await other.backend.create(alice, [given('x')], NEW)
    for (let n = 0; n < 3; n += 1) {
      await backend.create(alice, [given(`a${String(n)}`)], NEW)
      expect(await other.backend.count(alice, undefined, 'exact')).toBe(n + 2)
    }
    await other.tables.close()
  })
})

describe('the length of vectors', () => {
  test('is one to an owner, and none is a length too', async () => {
    await backend.create(alice, [given('a', { n: 1 })], NEW)
    const wrong = (detail: string) => ({ code: 'unprocessable', message: detail })
    await expect(backend.create(alice, [given('b', { vector: [1, 2] })], NEW)).rejects.toMatchObject(
      wrong('data.vector has 2 numbers; your records in notes have no vectors.'),
    )
    await expect(backend.update(alice, 'a', () => ({ vector: [1, 2] }))).rejects.toMatchObject(
      wrong('data.vector has 2 numbers; your records in notes have no vectors.'),
    )
    const [tenant] = await backend.create(operation('alice', 'tenant'), [given('b', { vector: [1, 2] })], NEW)
    expect(tenant).toMatchObject({ data: { vector: [1, 2] } })
    await expect(backend.update(operation('alice', 'tenant'), 'b', () => ({}))).rejects.toMatchObject(
      wrong('data.vector is missing; the vectors of your records in notes have 2.'),
    )
    const mixed = [given('c'), { ...given('d', { vector: [1] }), name: 'records[1].data' }]
    await expect(backend.create(operation('bob'), mixed, NEW)).rejects.toMatchObject(
      wrong('records[1].data.vector has 1 numbers; data.vector is missing.'),
    )
  })

  test('is free again for an owner who has nothing left, whatever others have', async () => {
    await backend.create(operation('bob'), [given('b')], NEW)
    await backend.create(alice, [given('a')], NEW)
    await backend.delete(alice, 'a', () => undefined)
    await backend.create(alice, [given('a', { vector: [1, 0] })], NEW)
    expect(await backend.read(alice, 'a')).toMatchObject({ data: { vector: [1, 0] }, version: 1 })
    await backend.deleteMany(alice, { field: 'id', op: 'eq', value: 'a' }, 1)
    await backend.create(alice, [given('a')], NEW)
    expect(await all(alice)).toMatchObject([{ id: 'a', data: {} }])
    expect(await all(operation('bob'))).toHaveLength(1)
  })
})
