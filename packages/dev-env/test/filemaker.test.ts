import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startFileMaker } from '../src/filemaker/emulator.ts'
import type { FileMakerEmulator } from '../src/filemaker/emulator.ts'

// Shapes, codes and words are those of Claris' Data API guide, and of the answers of FileMaker Server 18 that fms-api-client keeps.

let fm: FileMakerEmulator
let token = ''
let now = Date.parse('2026-11-25T12:00:00Z')

beforeAll(async () => {
  fm = await startFileMaker({
    layouts: {
      Heroes: [
        { name: 'name', type: 'text' },
        { name: 'height', type: 'number', strict: true },
        { name: 'planet', type: 'text', maxLength: 40 },
      ],
      'a/../b': [{ name: 'x', type: 'text' }],
      empty: [{ name: 'x', type: 'text' }],
    },
    maxSessions: 3,
    now: () => now,
  })
})

afterAll(() => fm.close())

const BASIC = { Authorization: `Basic ${Buffer.from('data_store:data_store').toString('base64')}` }
const JSON_TYPE = { 'Content-Type': 'application/json' }

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${fm.url}/fmi/data/vLatest${path}`, {
    method,
    headers: { ...(body === undefined ? {} : JSON_TYPE), Authorization: `Bearer ${token}`, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const answer = (await response.json()) as Answer
  return { status: response.status, headers: response.headers, ...answer }
}

interface Answer {
  response: {
    token?: string
    recordId?: string
    data?: { fieldData: Record<string, unknown>; recordId: string; modId: string }[]
    dataInfo?: Record<string, unknown>
  }
  messages: [{ code: string; message: string }]
}

const HEROES = '/databases/Waybill/layouts/Heroes'
const login = () => call('POST', '/databases/Waybill/sessions', {}, BASIC)
const find = (query: object[], more: object = {}) => call('POST', `${HEROES}/_find`, { query, ...more })
const names = async (query: object[], more: object = {}) =>
  (await find(query, more)).response.data?.map(({ fieldData }) => fieldData.name) ?? []

beforeEach(async () => {
  fm.expireSessions()
  fm.mend()
  token = (await login()).response.token ?? ''
  for (const { recordId } of fm.table('Heroes').all([])) fm.table('Heroes').remove(recordId)
})

test('a login answers its token in the header and in the body, and a wrong password is HTTP 401 with code 212', async () => {
  const right = await login()
  expect(right.headers.get('x-fm-data-access-token')).toBe(right.response.token)
  expect(right.messages).toStrictEqual([{ code: '0', message: 'OK' }])
  const wrong = await call('POST', '/databases/Waybill/sessions', {}, { Authorization: 'Basic eDp5' })
  expect([wrong.status, wrong.messages[0].code]).toStrictEqual([401, '212'])
})

test('a session ends 15 minutes after its last use, not its beginning', async () => {
  now += 14 * 60_000
  expect((await call('GET', '/databases/Waybill/layouts')).status).toBe(200)
  now += 14 * 60_000
  expect((await call('GET', '/databases/Waybill/layouts')).status).toBe(200)
  now += 15 * 60_000
  const late = await call('GET', '/databases/Waybill/layouts')
  expect([late.status, late.messages[0].code]).toStrictEqual([401, '952'])
})

test('a session that is logged out is gone, and there are only so many', async () => {
  expect((await login()).status).toBe(200)
  expect((await login()).status).toBe(200)
  expect((await login()).messages[0].code).toBe('812')
  expect((await call('DELETE', `/databases/Waybill/sessions/${token}`)).messages[0].code).toBe('0')
  expect((await call('GET', HEROES)).messages[0].code).toBe('952')
  expect((await login()).status).toBe(200)
})

test('records come in the envelope of a real server: ids and codes are texts, numbers are numbers', async () => {
  const made = await call('POST', `${HEROES}/records`, {
    fieldData: { name: 'Luke\nSkywalker', height: 1.72 },
  })
  const recordId = made.response.recordId ?? ''
  expect(made.response).toStrictEqual({ recordId: expect.stringMatching(/^\d+$/) as string, modId: '0' })
  const got = await call('GET', `${HEROES}/records/${recordId}`)
  expect({ response: got.response, messages: got.messages }).toStrictEqual({
    response: {
      dataInfo: {
        ...{ database: 'Waybill', layout: 'Heroes', table: 'Heroes' },
        ...{ totalRecordCount: 1, foundCount: 1, returnedCount: 1 },
      },
      data: [
        {
          fieldData: { name: 'Luke\rSkywalker', height: 1.72, planet: '' },
          portalData: {},
          recordId,
          modId: '0',
          portalDataInfo: [],
        },
      ],
    },
    messages: [{ code: '0', message: 'OK' }],
  })
})

test('a change counts modId up, an old modId is 306, and a record that somebody edits is 301', async () => {
  const { recordId } = fm.table('Heroes').create({ name: 'Leia' })
  const edit = (body: object) => call('PATCH', `${HEROES}/records/${recordId}`, body)
  expect((await edit({ fieldData: { name: 'Leia Organa' }, modId: '0' })).response).toStrictEqual({
    modId: '1',
  })
  expect((await edit({ fieldData: { name: 'x' }, modId: '0' })).messages[0].code).toBe('306')
  expect((await edit({ fieldData: {} })).response).toStrictEqual({ modId: '1' })
  const release = fm.table('Heroes').lock(recordId)
  const busy = await edit({ fieldData: { name: 'x' } })
  expect([busy.status, busy.messages[0].code]).toStrictEqual([500, '301'])
  expect((await call('DELETE', `${HEROES}/records/${recordId}`)).messages[0].code).toBe('301')
  release()
  expect((await call('DELETE', `${HEROES}/records/${recordId}`)).messages[0].code).toBe('0')
  expect((await call('DELETE', `${HEROES}/records/${recordId}`)).messages[0].code).toBe('101')
})

test.each([
  ['POST', `${HEROES}/records`, { fieldData: { no: '1' } }, 500, '102'],
  ['POST', `${HEROES}/records`, { fieldData: { height: 'tall' } }, 500, '502'],
  ['POST', `${HEROES}/records`, { fieldData: { planet: 'x'.repeat(41) } }, 500, '511'],
  ['POST', `${HEROES}/records`, {}, 400, '958'],
  ['POST', `${HEROES}/records`, '{', 400, '960'],
  ['POST', `${HEROES}/_find`, { query: [{ no: '1' }] }, 500, '102'],
  ['POST', `${HEROES}/_find`, { query: [{ name: 'nobody' }] }, 500, '401'],
  ['POST', `${HEROES}/_find`, { query: [{}] }, 500, '400'],
  ['POST', `${HEROES}/_find`, { query: [] }, 400, '958'],
  ['POST', `${HEROES}/_find`, { query: [{ name: 'x' }], limit: 0 }, 400, '960'],
  ['GET', `${HEROES}/records/77`, undefined, 500, '101'],
  ['GET', '/databases/Waybill/layouts/Villains', undefined, 500, '105'],
  ['GET', '/databases/Other/layouts', undefined, 500, '802'],
  ['GET', '/databases/Waybill/nothing', undefined, 404, '1630'],
  ['PUT', `${HEROES}/records`, undefined, 405, '960'],
] as const)('%s %s of %j is HTTP %i with code %s', async (method, path, body, status, code) => {
  const refused = await call(method, path, body)
  expect([refused.status, refused.messages[0].code]).toStrictEqual([status, code])
})

test('a layout name is one segment of the path, whatever is encoded in it', async () => {
  const path = `/databases/Waybill/layouts/${encodeURIComponent('a/../b')}/records`
  expect((await call('POST', path, { fieldData: { x: '1' } })).messages[0].code).toBe('0')
  expect(fm.table('a/../b').size).toBe(1)
})

test.each([
  ['leia', ['Leia Organa']],
  ['org', ['Leia Organa']],
  ['rgan', []],
  ['=org', []],
  ['=organa', ['Leia Organa']],
  ['==leia', []],
  ['==leia organa', ['Leia Organa']],
  ['==LÉIA*', ['Leia Organa']],
  ['==*', ['Leia Organa', 'R2-D2', 'a@b', 'a_b', 'Han', 'han', 'a*']],
  ['*', ['Leia Organa', 'R2-D2', 'a@b', 'a_b', 'Han', 'han', 'a*']],
  ['==a@b', ['a@b', 'a_b']],
  ['==a\\@b', ['a@b']],
  ['==a\\*', ['a*']],
  ['==r#-d#', ['R2-D2']],
  ['"leia org', ['Leia Organa']],
  ['*"gan"', ['Leia Organa']],
  ['!', ['Han', 'han']],
  ['=', ['']],
  ['<b', ['a@b', 'a_b', 'a*']],
  ['≥leia', ['Leia Organa', 'R2-D2']],
  ['h...i', ['Han', 'han']],
  ['==h\\.\\.\\.i', []],
])('the find operators of FileMaker Pro: %s', async (criterion, expected) => {
  for (const name of ['Leia Organa', 'R2-D2', 'a@b', 'a_b', 'Han', 'han', 'a*', ''])
    fm.table('Heroes').create({ name })
  expect(await names([{ name: criterion }])).toStrictEqual(expected)
})

test('dates and numbers have criteria of their own', async () => {
  for (const [name, height] of [
    ['11/25/2026', 1],
    ['b', 2],
    ['c', 10],
  ] as const) {
    fm.table('Heroes').create({ name, height })
  }
  expect(await names([{ name: '//' }])).toStrictEqual(['11/25/2026'])
  expect(await names([{ height: '>1' }])).toStrictEqual(['b', 'c'])
  expect(await names([{ height: '1...2' }])).toStrictEqual(['11/25/2026', 'b'])
  expect(await names([{ height: '==10' }])).toStrictEqual(['c'])
})

test('requests are ORed, those that omit take away, and pages begin at 1', async () => {
  for (const [name, planet] of [
    ['Luke', 'Tatooine'],
    ['Leia', 'Alderaan'],
    ['Anakin', 'Tatooine'],
  ] as const) {
    fm.table('Heroes').create({ name, planet })
  }
  expect(await names([{ planet: 'tatooine' }, { name: 'leia' }])).toStrictEqual(['Luke', 'Leia', 'Anakin'])
  expect(await names([{ name: '*' }, { planet: 'tatooine', omit: 'true' }])).toStrictEqual(['Leia'])
  const sort = [{ fieldName: 'name', sortOrder: 'descend' }]
  expect(await names([{ name: '*' }], { sort, offset: 2, limit: '1' })).toStrictEqual(['Leia'])
  const second = await find([{ name: '*' }], { offset: 2, limit: 1 })
  expect(second.response.dataInfo).toMatchObject({ totalRecordCount: 3, foundCount: 3, returnedCount: 1 })
  expect((await find([{ name: '*' }], { offset: 4 })).messages[0].code).toBe('101')
})
