import { beforeAll, describe, expect, inject, it } from 'vitest'
import { newUser } from '../src/user.ts'
import type { Ask, User } from '../src/user.ts'

const { services } = inject('platform')
const RECORDS = '/data/v1/postgres/collections/notes/records'
const DOCUMENTS = '/data/v1/postgres/collections/documents/records'
const PASSAGES = '/data/v1/lancedb/collections/memory/records'

let user: User

beforeAll(async () => {
  user = await newUser(services.gateway)
})

function form(name: string, bytes: Uint8Array<ArrayBuffer>): FormData {
  const data = new FormData()
  data.set('files', new Blob([bytes]), name)
  data.set('index', 'true')
  return data
}

const MEGABYTES_50 = 50 * 1024 * 1024
const brokenPdf = new TextEncoder().encode('%PDF-1.7\n1 0 obj << /Type /Catalog >>\nthis is where it ends')

interface Case {
  what: string
  path: string
  ask: () => Ask
  status: number
  code: string
}

/** Everything that people and programs get wrong, and the one answer to each. */
const CASES: Case[] = [
  { what: 'an unknown route', path: '/nowhere', ask: () => ({}), status: 404, code: 'not_found' },
  {
    what: 'a service that is not public',
    path: '/api/dumps/new',
    ask: () => ({ json: {} }),
    status: 404,
    code: 'not_found',
  },
  {
    what: 'the metrics of a service behind',
    path: '/data/metrics',
    ask: () => ({}),
    status: 404,
    code: 'not_found',
  },
  {
    what: 'the wrong method',
    path: '/auth/login',
    ask: () => ({ method: 'DELETE' }),
    status: 405,
    code: 'method_not_allowed',
  },
  { what: 'no token', path: RECORDS, ask: () => ({ anonymous: true }), status: 401, code: 'unauthenticated' },
  {
    what: 'a token that is none',
    path: RECORDS,
    ask: () => ({ anonymous: true, headers: { Authorization: 'Bearer nonsense' } }),
    status: 401,
    code: 'invalid_token',
  },
  {
    what: 'a token with one character changed',
    path: RECORDS,
    ask: () => ({ anonymous: true, headers: { Authorization: `Bearer ${user.token.slice(0, -8)}AAAAAAAA` } }),
    status: 401,
    code: 'invalid_token',
  },
  {
    what: 'two kinds of credential',
    path: RECORDS,
    ask: () => ({ headers: { 'X-API-Key': 'wb_0123456789' } }),
    status: 400,
    code: 'ambiguous_credentials',
  },
  {
    what: 'invalid JSON',
    path: RECORDS,
    ask: () => ({ body: '{"data": {', headers: { 'Content-Type': 'application/json' } }),
    status: 400,
    code: 'invalid_json',
  },
  {
    what: 'an unknown member',
    path: RECORDS,
    ask: () => ({ json: { data: {}, version: 3 } }),
    status: 400,
    code: 'validation_failed',
  },
  {
    what: "somebody else's name on a record",
    path: RECORDS,
    ask: () => ({ json: { data: {}, owner: 'somebody-else' } }),
    status: 403,
    code: 'forbidden',
  },
  {
    what: 'a role at registration',
    path: '/auth/register',
    ask: () => ({
      json: { username: 'sneaky', password: 'long enough 1!', email: 'a@example.test', role: 'admin' },
    }),
    status: 400,
    code: 'validation_failed',
  },
  {
    what: 'a form where JSON is expected',
    path: RECORDS,
    ask: () => ({ body: 'a=b', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    what: 'a JSON body of 50 MB',
    path: RECORDS,
    ask: () => ({
      body: `{"data":{"text":"${'x'.repeat(MEGABYTES_50)}"}}`,
      headers: { 'Content-Type': 'application/json' },
    }),
    status: 413,
    code: 'payload_too_large',
  },
  {
    what: 'a document of 50 MB',
    path: '/docling/v1/convert/file',
    ask: () => ({ body: form('huge.pdf', new Uint8Array(MEGABYTES_50)) }),
    status: 413,
    code: 'payload_too_large',
  },
  {
    what: 'a broken PDF',
    path: '/docling/v1/convert/file',
    ask: () => ({ body: form('broken.pdf', brokenPdf) }),
    status: 422,
    code: 'unprocessable',
  },
  {
    what: 'a path that two readers could read differently',
    path: '/work/api%2fprojects',
    ask: () => ({}),
    status: 400,
    code: 'bad_request',
  },
]

describe('bad input gets a clear problem with the request id', () => {
  it.each(CASES)('$what: $status $code', async ({ path, ask, status, code }) => {
    const requestId = `e2e-${code}`
    const options = ask()
    const answer = await user.ask(path, {
      ...options,
      headers: { ...options.headers, 'X-Request-ID': requestId },
    })
    expect([answer.status, answer.body.code], JSON.stringify(answer.body)).toEqual([status, code])
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(answer.headers.get('x-request-id')).toBe(requestId)
    expect(answer.body).toMatchObject({ status, request_id: requestId, type: `urn:waybill:problem:${code}` })
    expect(String(answer.body.detail).length).toBeGreaterThan(10)
    expect(JSON.stringify(answer.body)).not.toContain(user.token)
  })

  it('and leaves nothing half-written', async () => {
    for (const path of [RECORDS, DOCUMENTS, PASSAGES]) expect((await user.ask(path)).body.items).toEqual([])
  })
})
