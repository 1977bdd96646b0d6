import { inspect } from 'node:util'
import { createLogger, runInContext } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PASSWORD, startStand, thrown } from './filemaker-stand.ts'
import type { FileMakerStand } from './filemaker-stand.ts'

const HOSTILE_LAYOUT = 'notes/../../layouts/secret'

let stand: FileMakerStand
beforeEach(async () => {
  stand = await startStand(
    {
      notes: [{ name: 'title', type: 'text', maxLength: 100 }],
      secret: [{ name: 'title', type: 'text' }],
      [HOSTILE_LAYOUT]: [{ name: 'title', type: 'text' }],
      'mit Umlaut ä?#%': [{ name: 'title', type: 'text' }],
    },
    { FILEMAKER_TIMEOUT_MS: '300' },
  )
})
afterEach(() => stand.close())

const PAGE = { offset: 1, limit: 10 }
const logins = () => stand.fm.seen.filter(({ method, url }) => method === 'POST' && url.endsWith('/sessions'))
const all = (layout = 'notes') => stand.api.find(layout, [{ title: '*' }], PAGE)

describe('the session', () => {
  test('is opened once for all, and logged out at the end', async () => {
    stand.fm.table('notes').create({ title: 'x' })
    await Promise.all(Array.from({ length: 20 }, () => all()))
    expect([logins().length, stand.fm.openSessions]).toStrictEqual([1, 1])
    await stand.api.close()
    expect(stand.fm.openSessions).toBe(0)
  })

  test('is renewed once when it has ended (952), by one login for 20 calls', async () => {
    stand.fm.table('notes').create({ title: 'x' })
    await all()
    stand.fm.expireSessions()
    stand.fm.forget()
    const found = await Promise.all(Array.from({ length: 20 }, () => all()))
    expect(found.every((records) => records.length === 1)).toBe(true)
    expect(logins()).toHaveLength(1)
  })

  test('that FileMaker never keeps is given up after one renewal', async () => {
    stand.fm.fail({ kind: 'error', code: '952', status: 401 }, { times: 10, on: /_find/ })
    const error = await thrown(all())
    expect(error).toMatchObject({ code: 'upstream_failed', fileMakerCode: 952 })
    expect(stand.fm.seen.filter(({ url }) => url.endsWith('_find'))).toHaveLength(2)
  })

  test('a write is done once although its session had ended', async () => {
    await all()
    stand.fm.expireSessions()
    await stand.api.create('notes', { title: 'x' })
    expect(stand.fm.table('notes').size).toBe(1)
  })

  test('a refused account (212) is not tried again at once, which would get it locked', async () => {
    stand.fm.fail({ kind: 'error', code: '212', status: 401 }, { on: /sessions/ })
    expect(await thrown(all())).toMatchObject({ code: 'upstream_failed', fileMakerCode: 212 })
    expect(await thrown(all())).toMatchObject({ code: 'upstream_failed', fileMakerCode: 212 })
    expect(logins()).toHaveLength(1)
  })

  test('a login that found nobody is tried again with the next call', async () => {
    stand.fm.fail({ kind: 'drop' }, { on: /sessions/ })
    expect(await thrown(all())).toMatchObject({ code: 'unavailable' })
    expect(await all()).toStrictEqual([])
  })

  test('does not end for the others when the one who opened it goes away', async () => {
    const gone = new AbortController()
    stand.fm.fail({ kind: 'pause', before: () => gone.abort(new Error('gone')) }, { on: /sessions/ })
    const first = runInContext(
      {
        requestId: 'r',
        log: createLogger({ service: 'x', level: 'silent' }),
        deadline: Infinity,
        signal: gone.signal,
      },
      () => thrown(all()),
    )
    expect(await all()).toStrictEqual([])
    expect(await first).toMatchObject({ code: 'client_closed' })
    expect(logins()).toHaveLength(1)
  })
})

test('no more calls are under way than FILEMAKER_MAX_CONCURRENT', async () => {
  await stand.close()
  stand = await startStand({ notes: [{ name: 'title', type: 'text' }] }, { FILEMAKER_MAX_CONCURRENT: '3' })
  await all()
  let running = 0
  let most = 0
  const full = Promise.withResolvers<undefined>()
  const before = async () => {
    running += 1
    most = Math.max(most, running)
    if (running === 3) full.resolve(undefined)
    await full.promise
    // Time for a fourth to come in, if it were let through.
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    running -= 1
  }
  stand.fm.fail({ kind: 'pause', before }, { times: 20 })
  await Promise.all(Array.from({ length: 20 }, () => all()))
  expect(most).toBe(3)
})

test.each(['mit Umlaut ä?#%', HOSTILE_LAYOUT])('the layout %s is one segment of the path', async (layout) => {
  await stand.api.create(layout, { title: 'x' })
  expect(stand.fm.table(layout).size).toBe(1)
  expect(stand.fm.table('secret').size).toBe(0)
})

test.each(['..', '.', ''])('the name %j, which is no segment, calls nobody', async (name) => {
  await all()
  stand.fm.forget()
  expect(await thrown(stand.api.create(name, { title: 'x' }))).toMatchObject({ code: 'internal' })
  expect(await thrown(stand.api.get('notes', name))).toMatchObject({ code: 'internal' })
  expect(stand.fm.seen).toHaveLength(0)
})

test.each([
  ['102', 'upstream_failed', 502],
  ['105', 'upstream_failed', 502],
  ['301', 'unavailable', 503],
  ['306', 'unavailable', 503],
  ['502', 'unprocessable', 422],
  ['509', 'unprocessable', 422],
  ['802', 'unavailable', 503],
  ['960', 'upstream_failed', 502],
] as const)('the code %s of FileMaker is %s, whatever the HTTP status', async (code, problem, status) => {
  for (const http of [200, 500, 401]) {
    stand.fm.fail({ kind: 'error', code, status: http }, { on: /records/ })
    const error = await thrown(stand.api.create('notes', { title: 'x' }))
    expect(error).toMatchObject({ fileMakerCode: Number(code), code: problem, status })
    if (status === 503) expect(error).toMatchObject({ headers: { 'Retry-After': '1' } })
  }
})

test('nothing found (401) and a page past the end (101) are empty', async () => {
  expect(await all()).toStrictEqual([])
  stand.fm.table('notes').create({ title: 'x' })
  expect(await stand.api.find('notes', [{ title: '*' }], { offset: 2, limit: 5 })).toStrictEqual([])
  expect(await stand.api.get('notes', '99')).toBeUndefined()
})

test.each([
  ['<html>503</html>', 503],
  ['', 200],
  ['{}', 200],
  ['null', 200],
  ['{"messages":[],"response":{}}', 200],
  ['{"messages":[{"code":"0"}],"response":{"data":{}}}', 200],
  ['{"messages":[{"code":"0"}],"response":{"data":[{"fieldData":[],"recordId":"1","modId":"0"}]}}', 200],
  ['{"messages":[{"code":"zero"}],"response":{"data":[]}}', 200],
])('the answer %j is none: 502', async (body, status) => {
  stand.fm.fail({ kind: 'garbage', body, status }, { on: /_find/ })
  expect(await thrown(all())).toMatchObject({ code: 'upstream_failed', status: 502 })
})

test('ids and codes may be numbers, as old servers have them', async () => {
  const body =
    '{"messages":[{"code":0}],"response":{"data":[{"fieldData":{},"recordId":1,"modId":0}],"dataInfo":{}}}'
  stand.fm.fail({ kind: 'garbage', body }, { on: /_find/ })
  expect(await all()).toStrictEqual([{ fieldData: {}, recordId: '1', modId: '0' }])
})

test('an answer that does not come is 504, a connection that breaks 503', async () => {
  await all()
  stand.fm.fail({ kind: 'hang' }, { on: /_find/ })
  expect(await thrown(all())).toMatchObject({ code: 'timeout' })
  stand.fm.fail({ kind: 'drop' }, { on: /_find/ })
  expect(await thrown(all())).toMatchObject({ code: 'unavailable' })
})

test('nothing of the caller goes along, and the password with the login only', async () => {
  await all()
  for (const { headers, url } of stand.fm.seen) {
    expect(Object.keys(headers).sort()).toStrictEqual(
      [
        'accept',
        'accept-encoding',
        'authorization',
        'connection',
        'content-length',
        'content-type',
        'host',
      ].concat('user-agent'),
    )
    expect(headers.authorization?.startsWith('Basic ')).toBe(url.endsWith('/sessions'))
  }
})

test('password and token stand in no error and in no log line', async () => {
  await all()
  const token = /Bearer (\S+)/.exec(stand.fm.seen.at(-1)?.headers.authorization ?? '')?.[1] ?? 'no token'
  const basic = Buffer.from(`data_store:${PASSWORD}`).toString('base64')
  const errors: unknown[] = []
  for (const fault of [
    { kind: 'error', code: '105' },
    { kind: 'error', code: '960', status: 400 },
    { kind: 'garbage' },
    { kind: 'drop' },
    { kind: 'hang' },
  ] as const) {
    stand.fm.fail(fault, { on: /_find/ })
    errors.push(await thrown(all()))
  }
  stand.fm.expireSessions()
  stand.fm.fail({ kind: 'error', code: '212', status: 401 }, { on: /sessions/ })
  errors.push(await thrown(all()))
  const seen = stand.logged() + errors.map((error) => inspect(error, { depth: 10 })).join()
  expect(stand.logged()).toContain('"filemaker_code":105')
  for (const secret of [PASSWORD, basic, token]) expect(seen).not.toContain(secret)
})
