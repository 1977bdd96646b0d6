import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SERVICES } from '@waybill/contracts'
import { loadSecrets, startPlatform } from '@waybill/dev-env'
import type { Platform, Trace } from '@waybill/dev-env'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { findInFiles, findInText, plantedRequests } from '../src/planted.ts'
import { ask } from '../src/user.ts'
import type { Answer } from '../src/user.ts'

/** In every planted secret, and nowhere else. */
const CANARY = `canary${randomBytes(9).toString('hex')}`
/** The same for what is no secret and must be found: a search that finds nothing proves nothing. */
const CONTROL = `control${randomBytes(9).toString('hex')}`

/** Routes that are in reach: through the door and around it, open and guarded. */
const PATHS: Record<(typeof SERVICES)[number], string[]> = {
  gateway: [
    '/auth/login',
    '/auth/register',
    '/auth/refresh',
    '/auth/me',
    '/execute',
    '/data/v1/backends',
    '/nowhere',
  ],
  'auth-service': [
    ...[
      '/auth/login',
      '/auth/register',
      '/auth/refresh',
      '/auth/me',
      '/auth/change-password',
      '/auth/api-keys',
    ],
    ...[
      '/auth/verify',
      '/auth/verify-permission',
      '/oauth/token',
      '/oauth/introspect',
      '/oauth/revoke',
      '/oauth/revocations',
    ],
  ],
  'llm-proxy': ['/llm', '/execute', '/v1/models', '/v1/chat/completions'],
  docling: ['/v1/convert/source', '/v1/convert/file'],
  data_store: [
    '/v1/backends',
    '/v1/postgres/collections/notes/records',
    '/v1/lancedb/collections/memory/records',
  ],
  'work-platform': ['/api/projects', '/api/workspaces'],
  'substrate-api': ['/api/baskets', '/api/dumps/new'],
}

/** Asked all day long by every service, and left out of traces like a probe. */
const UNTRACED = '/oauth/revocations'

let folder: string
let platform: Platform
let output = ''
let spans = ''
let found: string[] = []
/** Everything that was answered to a planted request, status line to body. */
const answers: string[] = []
const secrets: Record<string, string> = { canary: CANARY }
const control: Record<string, string> = {}

const post = (path: string, json: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(platform.services.gateway + path, { json, headers: { 'X-Request-ID': CONTROL, ...headers } })

/** A whole life of an account; each of its secrets is kept to be looked for. */
async function liveALife(): Promise<void> {
  const [username, password, next] = [CONTROL, `${CANARY}-password-aA1!`, `${CANARY}-changed-aA1!`]
  const made = await post('/auth/register', { username, password, email: `${username}@example.test` })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  await post('/auth/login', { username: password, password: username })
  await post('/auth/login', { username, password: `${password}-wrong` })
  const { body: session } = await post('/auth/login', { username, password })
  const { body: renewed } = await post('/auth/refresh', { refresh_token: session.refresh_token })
  keep('access token', session.access_token)
  keep('refresh token', session.refresh_token)
  keep('renewed access token', renewed.access_token)
  keep('renewed refresh token', renewed.refresh_token)
  const bearer = { Authorization: `Bearer ${String(renewed.access_token)}` }
  const key = await post('/auth/api-keys', { name: 'a key', permissions: ['memory.read'] }, bearer)
  expect(key.status, JSON.stringify(key.body)).toBe(201)
  secrets['API key'] = String(key.body.api_key).slice(-30)
  const withKey = { 'X-API-Key': String(key.body.api_key), 'X-Request-ID': CONTROL }
  for (const path of ['/auth/me', '/v1/models', '/data/v1/backends', '/work/api/projects']) {
    for (const headers of [withKey, { ...bearer, 'X-Request-ID': CONTROL }])
      await ask(platform.services.gateway + path, { headers })
    await ask(platform.services.gateway + path, { headers: { ...withKey, ...bearer } })
  }
  const note = await post(
    '/data/v1/lancedb/collections/control/records',
    { id: CONTROL, data: { text: CONTROL, vector: [1, 2, 3] } },
    bearer,
  )
  expect(note.status, JSON.stringify(note.body)).toBe(201)
  await post('/auth/change-password', { current_password: `${password}x`, new_password: next }, bearer)
  expect(
    (await post('/auth/change-password', { current_password: password, new_password: next }, bearer)).status,
  ).toBe(204)
  await post('/auth/refresh', { refresh_token: session.refresh_token })
  await post('/auth/logout', {}, bearer)
}

/** The part that makes a token good: what comes before it may be in a log for a reason. */
function keep(name: string, token: unknown): void {
  expect(typeof token).toBe('string')
  secrets[name] = String(token).slice(-40)
}

async function plantEverywhere(): Promise<void> {
  for (const service of SERVICES) {
    const requestId = `${CONTROL}.${service}`
    const requests = plantedRequests(CANARY, PATHS[service])
    for (const { path, ask: request } of requests) {
      const { status, headers, body } = await ask(platform.services[service] + path, {
        ...request,
        headers: { 'X-Request-ID': requestId, ...request.headers },
      })
      answers.push(`${service} ${status} ${JSON.stringify([...headers])} ${JSON.stringify(body)}`)
    }
    const traced = requests.filter(
      ({ path, ask: { headers = {} } }) =>
        path.split('?')[0] !== UNTRACED && !Object.hasOwn(headers, 'X-Request-ID'),
    )
    // After each service: the receiver keeps the newest traces only.
    spans += await tracesOf(requestId, (traces) => expect(traces).toHaveLength(traced.length))
    // Also of those whose request id was none.
    spans += await (await fetch(`${platform.traces}/api/traces`)).text()
  }
}

/** The traces of a request id as text, once they satisfy `complete`: services export their spans in batches. */
function tracesOf(requestId: string, complete: (traces: Trace[]) => void): Promise<string> {
  return vi.waitFor(
    async () => {
      const answer = await fetch(`${platform.traces}/api/traces?request_id=${requestId}`)
      const { traces } = (await answer.json()) as { traces: Trace[] }
      complete(traces)
      return JSON.stringify(traces)
    },
    { timeout: 30_000, interval: 200 },
  )
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-hardening-'))
  chmodSync(folder, 0o755)
  platform = await startPlatform({
    dataDir: folder,
    env: { ...process.env, LOG_LEVEL: 'debug' },
    log: (source, line) => (output += `[${source}] ${line}\n`),
  })
  try {
    const own = loadSecrets(folder)
    for (const service of SERVICES) control[`service secret of ${service}`] = own.serviceSecret(service)
    control['key of signing keys'] = own.signingKeyEncryptionKey
    for (const { username } of platform.accounts)
      control[`password of ${username}`] = own.accountPassword(username)
    await plantEverywhere()
    await liveALife()
    spans += await tracesOf(CONTROL, (traces) => {
      const seen = new Set(traces.flatMap(({ hops }) => hops.map((hop) => hop.service)))
      expect([...seen]).toEqual(
        expect.arrayContaining(['gateway', 'auth-service', 'llm-proxy', 'data_store']),
      )
    })
  } finally {
    await platform.close()
  }
  // Closed, so that everything that was ever written is in the files: tables, indexes, dead rows, write-ahead log.
  found = findInFiles(folder, { ...secrets, CONTROL })
}, 240_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('passwords, tokens and keys, sent in every way to every service', () => {
  it('are in no log line of any service, nor of PostgreSQL, at debug level', () => {
    expect(output).toContain(CONTROL)
    for (const service of SERVICES) expect(output).toContain(`[${service}] `)
    expect(findInText(output, secrets)).toEqual([])
  })

  it("are in no span, and neither are the services' own", () => {
    expect(spans).toContain(CONTROL)
    expect(findInText(spans, { ...secrets, ...control })).toEqual([])
  })

  it("of the services' own, none is in a log", () => {
    expect(findInText(output, control)).toEqual([])
  })

  it('are in no answer to those who sent them', () => {
    expect(answers.length).toBeGreaterThan(400)
    expect(findInText(answers.join('\n'), secrets)).toEqual([])
    expect(answers.filter((answer) => /^\S+ 5(?!03)/.test(answer))).toEqual([])
  })

  it('are in clear in no file of PostgreSQL or LanceDB', () => {
    expect(found.some((place) => place.includes('/postgres/') && place.endsWith('CONTROL'))).toBe(true)
    expect(found.some((place) => place.includes('/lancedb/') && place.endsWith('CONTROL'))).toBe(true)
    expect(found.filter((place) => !place.endsWith('CONTROL'))).toEqual([])
  })
})
