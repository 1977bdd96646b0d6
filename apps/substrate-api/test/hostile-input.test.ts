import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
let token: string
let basketId: string

beforeAll(async () => {
  setting = await startSetting({ METADATA_MAX_BYTES: '1024', METADATA_MAX_DEPTH: '4' })
  token = await setting.onBehalfOf('alice', 'workspace')
  const answer = await setting.send(token, 'POST', '/api/baskets', { name: 'x' })
  basketId = answer.body.id
})
afterAll(() => setting.close())

describe.each([
  'not-a-uuid',
  "' or 1=1 --",
  '..%2f..%2fetc',
  '%00',
  '0',
  '00000000-0000-4000-8000-000000000000a',
])('the id %s', (id) => {
  test.each([
    ['GET', `/api/baskets/${id}`],
    ['DELETE', `/api/baskets/${id}`],
    ['GET', `/api/baskets/${id}/dumps`],
    ['GET', `/api/baskets?ids=${id}`],
    ['GET', `/api/baskets?ids=${randomUUID()},${id}`],
  ])('%s %s is 400', async (method, path) => {
    const answer = await setting.send(token, method, path)
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ request_id: expect.any(String), code: 'validation_failed' })
  })
})

const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })

test.each<[string, unknown, number]>([
  ['no name', {}, 400],
  ['an empty name', { name: '' }, 400],
  ['a name of white space', { name: ' \n\t ' }, 400],
  ['a name of 201 characters', { name: 'n'.repeat(201) }, 400],
  ['a name that is no text', { name: 1 }, 400],
  ['a name with NUL', { name: 'a\0b' }, 400],
  ['a name with half of a surrogate pair', { name: 'a\ud800' }, 400],
  ['an id that is none', { name: 'a', id: '1' }, 400],
  ['a member that nobody knows', { name: 'a', status: 'archived' }, 400],
  ['metadata that is a list', { name: 'a', metadata: [] }, 400],
  ['metadata with NUL in a text', { name: 'a', metadata: { a: 'x\0' } }, 400],
  ['metadata with NUL in a name', { name: 'a', metadata: { 'x\0': 1 } }, 400],
  ['metadata with half of a surrogate pair', { name: 'a', metadata: { a: ['\udc00'] } }, 400],
  ['metadata that is too deep', { name: 'a', metadata: deep(5) }, 400],
  ['metadata that is too long', { name: 'a', metadata: { a: 'x'.repeat(1024) } }, 413],
  ['metadata of the most levels', { name: 'a', metadata: deep(4) }, 201],
  ['a name of 200 characters', { name: 'n'.repeat(200) }, 201],
])('a basket with %s is answered %j as %i', async (_, body, status) => {
  const answer = await setting.send(token, 'POST', '/api/baskets', body)
  expect(answer.status).toBe(status)
})

test.each([
  ['a list', '[]'],
  ['null', 'null'],
  ['a number', '1'],
  ['broken JSON', '{"name":'],
  ['a number out of range', '{"name":"a","metadata":{"n":1e999}}'],
  ['100,000 levels', `{"name":"a","metadata":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`],
])('a body that is %s is 400', async (_, text) => {
  const answer = await setting.send(token, 'POST', '/api/baskets').type('json').send(text)
  expect(answer.status).toBe(400)
})

test('a name that would change prototypes is left out', async () => {
  const text = '{"name":"a","metadata":{"__proto__":{"admin":true},"constructor":1}}'
  const answer = await setting.send(token, 'POST', '/api/baskets').type('json').send(text)
  expect(answer.body.metadata).toEqual({ constructor: 1 })
  expect(({} as Record<string, unknown>).admin).toBeUndefined()
})

test.each<[string, object, number]>([
  ['no content', {}, 400],
  ['empty content', { content: '' }, 400],
  ['content with NUL', { content: 'a\0' }, 400],
  ['a source of 501 characters', { content: 'a', source: 's'.repeat(501) }, 400],
  ['a source with NUL', { content: 'a', source: '\0' }, 400],
])('a dump with %s is refused', async (_, body, status) => {
  const answer = await setting.send(token, 'POST', '/api/dumps/new', { basket_id: basketId, ...body })
  expect(answer.status).toBe(status)
})

test.each([
  'limit=0',
  'limit=101',
  'limit=x',
  'limit=1.5',
  'cursor=x',
  `cursor=2026-13-45T99:99:99.999Z_${'0'.repeat(36)}`,
  `cursor=2026-01-01T00:00:00.000Z_${'-'.repeat(36)}`,
  `ids=${Array.from({ length: 101 }, () => randomUUID()).join(',')}`,
  'ids=',
  'ids=a&ids=b',
  'workspace=theirs',
])('the query %s is 400', async (query) => {
  expect((await setting.send(token, 'GET', `/api/baskets?${query}`)).status).toBe(400)
})

test('an answer may not be kept by caches', async () => {
  const answer = await setting.send(token, 'GET', '/api/baskets')
  expect(answer.headers['cache-control']).toBe('private, no-store')
})
