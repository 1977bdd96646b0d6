import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { layoutsOf, startFileMaker, startTestPostgres, startTraceReceiver } from '@waybill/dev-env'
import { loadConfig } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { fileMakerEnv, fileMakerSettings } from '../src/backends/filemaker/config.ts'
import { COLLECTIONS } from './fixtures/collections.ts'
import { OPERATIONS } from './fixtures/every-operation.ts'
import { startIssuer } from './fixtures/service-process.ts'
import { records } from './setting.ts'

const PASSWORD = 'canary-in-the-coal-mine-of-filemaker'
const SAID = [PASSWORD, Buffer.from(`data_store:${PASSWORD}`).toString('base64')]

test('the password and the tokens of FileMaker stand in no answer, no log line and no span', async () => {
  const [postgres, issuer, receiver] = await Promise.all([
    startTestPostgres('data_store'),
    startIssuer(),
    startTraceReceiver(),
  ])
  const notes = COLLECTIONS.filter(({ name }) => name === 'notes')
  const fm = await startFileMaker({ layouts: layoutsOf(notes), password: PASSWORD })
  // One of them has no layout.
  const declared = { collections: [...notes, { name: 'elsewhere', backends: ['filemaker'] }] }
  const folder = await mkdtemp(join(tmpdir(), 'filemaker-secrets-'))
  await writeFile(join(folder, 'collections.json'), JSON.stringify(declared))
  const child = spawn(process.execPath, ['--import', '@waybill/telemetry/register', 'src/main.ts'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'trace', SERVICE_SECRET: 'for tests' },
      ...{ AUTH_SERVICE_URL: issuer.url, AUTH_ISSUER: 'https://waybill.local' },
      ...{ DATABASE_URL: postgres.databaseUrl, DATABASE_MIGRATION_URL: postgres.migrationUrl },
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
      ...{ FILEMAKER_URL: fm.url, FILEMAKER_DATABASE: fm.database },
      COLLECTIONS_FILE: join(folder, 'collections.json'),
      ...{ FILEMAKER_USERNAME: fm.username, FILEMAKER_PASSWORD: PASSWORD, FILEMAKER_TIMEOUT_MS: '200' },
    },
  })
  const errors = text(child.stderr)
  const lines: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => {
      reject(new Error(`It ended: ${lines.join('\n')}`))
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      const said = JSON.parse(line) as { msg?: string; url?: string }
      if (said.msg === 'ready' && said.url !== undefined) resolve(said.url)
    })
  })

  const Authorization = `Bearer ${await issuer.userToken('alice')}`
  const answers: string[] = []
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { Authorization, 'Content-Type': 'application/json' }
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
    const response = await fetch(url + path, init)
    answers.push(JSON.stringify([...response.headers]) + (await response.text()))
    return response.status
  }
  const list = records('filemaker')
  const one = records('filemaker', 'notes', 'a')
  const all = { filter: { field: 'id', op: 'ne', value: '' }, data: { title: 'y' } }
  const bulk = '/v1/filemaker/collections/notes/bulk-'
  const statuses = [await ask('POST', list, { id: 'a', data: { title: 'x' } }), await ask('GET', one)]
  statuses.push(await ask('GET', `${list}?count=exact`), await ask('PATCH', one, { data: { title: 'y' } }))
  statuses.push(await ask('POST', `${bulk}patch`, all), await ask('DELETE', one))
  statuses.push(await ask('POST', `${bulk}delete`, { filter: all.filter }))
  for (const fault of [
    { kind: 'garbage' },
    { kind: 'drop' },
    { kind: 'hang' },
    { kind: 'error', code: '802' },
  ] as const) {
    fm.fail(fault, { on: /_find/ })
    statuses.push(await ask('GET', list))
  }
  statuses.push(await ask('GET', records('filemaker', 'elsewhere')))
  fm.expireSessions()
  fm.fail({ kind: 'error', code: '212', status: 401 }, { on: /sessions/ })
  statuses.push(await ask('GET', list), await ask('GET', '/v1/backends'), await ask('GET', '/v1/audit'))
  expect(statuses).toStrictEqual([201, 200, 200, 200, 200, 204, 200, 502, 503, 504, 503, 502, 502, 200, 200])

  child.kill('SIGTERM')
  await once(child, 'close')
  const traces = receiver.store.recent(100)
  const operations = traces
    .flatMap((trace) => trace.spans.filter(({ name }) => name === 'filemaker.operation'))
    .sort((one, other) => one.start - other.start)
    .map(({ attributes }) => attributes['db.operation.name'])
  expect(operations.slice(0, OPERATIONS.length)).toStrictEqual(OPERATIONS)
  const spans = JSON.stringify(traces)
  const log = lines.join('\n') + (await errors)
  // That there is something to look through.
  expect(log).toContain('"filemaker_code":212')
  const tokens = fm.seen.flatMap(
    ({ headers }) => /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? [],
  )
  expect(tokens.length).toBeGreaterThan(3)
  for (const secret of [...SAID, ...tokens]) expect(answers.join() + log + spans).not.toContain(secret)
  await Promise.all([fm.close(), issuer.close(), receiver.close(), postgres.close()])
  await rm(folder, { recursive: true })
}, 60_000)

const CONFIG = { FILEMAKER_DATABASE: 'W', FILEMAKER_USERNAME: 'u', FILEMAKER_PASSWORD: 'p' }
const settingsFrom = (environment: Record<string, string>) =>
  fileMakerSettings(loadConfig(z.object(fileMakerEnv), environment))

test('without FILEMAKER_URL there is no FileMaker, and with it nothing may be missing', () => {
  expect(settingsFrom(CONFIG)).toBeUndefined()
  expect(() => settingsFrom({ FILEMAKER_URL: 'https://fm.test' })).toThrow(
    /FILEMAKER_DATABASE: is required[^]*FILEMAKER_USERNAME: is required[^]*FILEMAKER_PASSWORD: is required/,
  )
  expect(settingsFrom({ ...CONFIG, FILEMAKER_URL: 'https://fm.test/' })).toMatchObject({
    url: 'https://fm.test',
  })
})

test.each([
  'http://fm.test',
  'http://10.0.0.5',
  'https://fm.test/fmi',
  'https://u:p@fm.test',
  'https://:p@fm.test',
  'https://fm.test?x',
  'ftp://fm.test',
])('the password does not go to %s', (url) => {
  expect(() => settingsFrom({ ...CONFIG, FILEMAKER_URL: url })).toThrow(/FILEMAKER_URL/)
})
