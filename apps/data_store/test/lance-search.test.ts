import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend, Operation, SearchRequest } from '../src/backend.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import { given, openLance, operation } from './fixtures/lance.ts'
import { HOSTILE } from './setting.ts'

const NEW = { includeVector: false, onConflict: 'error' } as const
const alice = operation('alice')
const bob = operation('bob')

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

const add = (who: Operation, id: string, text: string, vector: number[]) =>
  backend.create(who, [given(id, { text, vector })], NEW)
const search = (who: Operation, request: Partial<SearchRequest>) =>
  backend.search!(who, { text: undefined, vector: undefined, limit: 10, includeVector: false, ...request })
const idsOf = async (who: Operation, request: Partial<SearchRequest>) =>
  (await search(who, request)).map(({ id }) => id)

const MODES: [string, Partial<SearchRequest>][] = [
  ['text', { text: 'apple' }],
  ['vector', { vector: [1, 0] }],
  ['hybrid', { text: 'apple', vector: [1, 0] }],
]

describe.each(MODES)('search by %s', (_, request) => {
  test.each(['before', 'after'])('is of the owner’s records alone, %s maintenance', async (when) => {
    // All of them better matches than alice's: without a filter before the ranking they would fill her limit.
    const better = Array.from({ length: 300 }, (_, n) =>
      given(`b${String(n)}`, { text: 'apple', vector: [1, 0] }),
    )
    await backend.create(bob, better, NEW)
    await backend.create(operation('alice', 'tenant'), better.slice(0, 9), NEW)
    await add(alice, 'mine', 'an apple among a good many other words', [0.5, 1])
    if (when === 'after') await tables.maintain()
    expect(await search(alice, { ...request, limit: 1 })).toMatchObject([{ id: 'mine', owner: 'alice' }])
    expect(await idsOf(alice, request)).toEqual(['mine'])
    expect(await idsOf(operation('carol'), request)).toEqual([])
  })

  test('sees a write at once: what is new, what is changed, what is deleted', async () => {
    await add(alice, 'a', 'apple', [1, 0])
    await tables.maintain()
    await add(alice, 'b', 'apple', [1, 0])
    expect(await idsOf(alice, request)).toEqual(['a', 'b'])
    await backend.update(alice, 'a', () => ({ text: 'pear', vector: [0, 1] }))
    await backend.delete(alice, 'b', () => undefined)
    const [best] = await search(alice, { ...request, text: request.text && 'pear' })
    expect(best).toMatchObject({ id: 'a', version: 2, data: { text: 'pear' } })
    expect(best!.data).not.toHaveProperty('vector')
    expect(await idsOf(alice, request)).not.toContain('b')
  })
})

describe('search by text', () => {
  test('wants every word, in any case, in any member of data', async () => {
    await backend.create(
      alice,
      [given('a', { title: 'Größe', list: [{ deep: 'Äpfel und Birnen' }], n: 7 })],
      NEW,
    )
    for (const text of ['größe', 'birnen äpfel', 'GRÖßE']) {
      expect(await idsOf(alice, { text })).toEqual(['a'])
    }
    for (const text of ['größe fehlt', 'title', 'birn', '7', '!!!', '" OR a']) {
      expect(await idsOf(alice, { text })).toEqual([])
    }
  })

  test('finds the best first, by how often they have each of the words', async () => {
    await add(alice, 'a', 'an apple among a good many other words', [1, 0])
    await add(alice, 'z', 'Äpple apple: APPLE', [1, 0])
    await add(alice, 'y', 'apple, apple', [1, 0])
    await add(alice, 'b', 'apples apple', [1, 0])
    const found = await search(alice, { text: 'apple' })
    expect(found.map(({ id }) => id)).toEqual(['z', 'y', 'a', 'b'])
    const once = 0.1 / (Math.PI ** 2 / 6)
    for (const [at, times] of [1 + 1 / 4 + 1 / 9, 1 + 1 / 4, 1, 1].entries()) {
      expect(found[at]!.score).toBeCloseTo(once * times)
    }
    expect((await search(alice, { text: 'apple among' }))[0]!.score).toBeCloseTo(once)
    expect(await search(alice, { text: 'apple', limit: 2 })).toEqual(found.slice(0, 2))
  })

  test('ranks no more records than SCAN_MAX_RECORDS, of which others have nothing to tell', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, n) =>
        given(`n${String(n)}`, { text: n % 2 ? 'apple' : 'apple apple' }),
      )
    await backend.create(bob, many(1_001), NEW)
    await backend.create(alice, many(1_000), NEW)
    const found = await search(alice, { text: 'apple', limit: 1_000 })
    expect(found).toHaveLength(1_000)
    expect(found.slice(0, 500).every(({ data }) => data.text === 'apple apple')).toBe(true)
    await expect(search(bob, { text: 'apple' })).rejects.toMatchObject({
      code: 'unprocessable',
      message: expect.stringContaining('SCAN_MAX_RECORDS') as string,
    })
  })

  test('takes any text as words', async () => {
    await add(bob, 'b', 'bob alice records owner true', [1, 0])
    for (const text of [...HOSTILE, 'text:bob', '\0', 'x'.repeat(1_000), 'a AND (b', '\ud800'])
      expect(await idsOf(alice, { text })).toEqual([])
  })
})

test.each(MODES)('the order of %s search tells nothing of what others have written', async (_, request) => {
  // Which of the two is the better one is a matter of which word is the rarer one, to a ranking that asks for that.
  await add(alice, 'a', 'apple apple apple pear', [1, 0])
  await add(alice, 'b', 'apple pear pear pear', [1, 0])
  const asked = { ...request, ...(request.text && { text: 'apple pear' }) }
  const before = await search(alice, asked)
  expect(before.map(({ id }) => id)).toEqual(['a', 'b'])
  for (const word of ['apple', 'pear', 'pear']) {
    const others = Array.from({ length: 300 }, (_, n) =>
      given(`${word}${String(n)}`, { text: word, vector: [1, 0] }),
    )
    await backend.create(bob, others, { ...NEW, onConflict: 'replace' })
    await tables.maintain()
    expect(await search(alice, asked)).toEqual(before)
    expect(await search(alice, { ...asked, limit: 1 })).toEqual(
      request.text && request.vector ? [expect.objectContaining({ id: 'a' })] : before.slice(0, 1),
    )
  }
})

describe('search by both', () => {
  test('puts what both find before what one finds best', async () => {
    await add(alice, 'words', 'apple apple apple', [0, 1])
    await add(alice, 'near', 'pear', [1, 0])
    await add(alice, 'both', 'apple with other words', [1, 0.1])
    for (let n = 2; n < 8; n += 1) await add(alice, `pear${String(n)}`, 'pear', [1, n / 10])
    const found = await search(alice, { text: 'apple', vector: [1, 0] })
    expect(found.slice(0, 3).map(({ id }) => id)).toEqual(['both', 'words', 'near'])
    // 1/(60 + rank), for each list that it is in.
    expect(found[0]!.score).toBeCloseTo(1 / 62 + 1 / 62)
    expect(found[2]!.score).toBeCloseTo(1 / 61)
    expect(await idsOf(alice, { text: 'apple', vector: [1, 0], limit: 1 })).toEqual(['both'])
  })
})

test('a vector of another length than the owner’s is refused; so is any where they have none', async () => {
  await add(alice, 'a', 'apple', [1, 0])
  await backend.create(bob, [given('b', { text: 'apple' })], NEW)
  await expect(search(alice, { vector: [1, 0, 0] })).rejects.toMatchObject({
    code: 'unprocessable',
    message: 'vector has 3 numbers; the vectors of your records in notes have 2.',
  })
  await expect(search(bob, { text: 'apple', vector: [1] })).rejects.toMatchObject({
    code: 'unprocessable',
    message: 'vector has 1 numbers; your records in notes have no vectors.',
  })
  expect(await search(bob, { text: 'apple', includeVector: true })).toMatchObject([
    { id: 'b', data: { text: 'apple' } },
  ])
})
