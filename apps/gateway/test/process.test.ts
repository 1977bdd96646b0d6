import { spawn } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { upstream } from './stand.ts'
import type { Upstream } from './stand.ts'

const ROOM = fileURLToPath(new URL('..', import.meta.url))
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** A token as auth-service issues them at login, written by hand: this process has nothing in common with that one. */
function userToken(): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: 'https://waybill.local',
    aud: 'waybill',
    sub: 'ann',
    client_id: 'waybill',
    jti: 'canary-jti',
    scope: 'memory.read',
    principal: 'user',
    role: 'user',
    iat: now,
    nbf: now,
    exp: now + 300,
  }
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ typ: 'at+jwt', alg: 'ES256', kid: 'k1' })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

interface Attribute {
  key: string
  value: { stringValue?: string; arrayValue?: { values: unknown[] } }
}
interface Span {
  name: string
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  attributes: Attribute[]
}

let auth: Upstream
let behind: Upstream
let collector: Upstream
const spans: Span[] = []
const lines: Record<string, unknown>[] = []
let printed = ''
let traceOfProblem = ''
let exitCode: unknown

// One run of the real process, with telemetry registered as in production; the tests look at what it left behind.
beforeAll(async () => {
  ;[auth, behind, collector] = await Promise.all([upstream(), upstream(), upstream()])
  auth.handle = (req, res) => {
    req.resume()
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }
    const token = { access_token: 'canary-exchanged', token_type: 'Bearer', expires_in: 300, scope: '' }
    const feed = { cursor: '0', revocations: [] }
    const answers: Record<string, unknown> = {
      '/oauth/token': token,
      '/.well-known/jwks.json': { keys: [jwk] },
    }
    res.end(JSON.stringify(answers[req.url ?? ''] ?? feed))
  }
  collector.handle = (req, res) => {
    void text(req).then((body) => {
      const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }
      spans.push(...resourceSpans.flatMap((resource) => resource.scopeSpans).flatMap((scope) => scope.spans))
      res.setHeader('Content-Type', 'application/json').end('{}')
    })
  }
  const child = spawn(process.execPath, ['--import', '@waybill/telemetry/register', 'src/main.ts'], {
    cwd: ROOM,
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      SERVICE_SECRET: 'canary-service-secret',
      AUTH_SERVICE_URL: auth.url,
      DATA_STORE_URL: behind.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      printed += line
      const entry = JSON.parse(line) as Record<string, unknown>
      lines.push(entry)
      if (entry.msg === 'ready') resolve(String(entry.url))
    })
    void ended.then(() => reject(new Error(printed)))
  })
  const headers = {
    Authorization: `Bearer ${userToken()}`,
    'X-Request-ID': 'journey-1',
    baggage: 'user=canary',
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  }
  await (await fetch(`${url}/data/v1/x?key=canary`, { headers })).text()
  const { 'X-Request-ID': _id, ...unnamed } = headers
  const refused = await fetch(`${url}/data/a;b`, { headers: unnamed })
  traceOfProblem = String(((await refused.json()) as Record<string, unknown>).trace_id)
  child.kill('SIGTERM')
  exitCode = await ended
})
afterAll(async () => {
  await Promise.all([auth.close(), behind.close(), collector.close()])
})

const attribute = (span: Span | undefined, key: string): unknown => {
  const value = span?.attributes.find((each) => each.key === key)?.value
  return value?.stringValue ?? value?.arrayValue?.values
}
const named = (name: string): Span | undefined => spans.find((span) => span.name === name)

test('the server span is named after the way in, and says which request and for whom', () => {
  const span = spans.find((each) => attribute(each, 'waybill.request_id') === 'journey-1')
  expect(span?.name).toBe('GET /data/*path')
  expect(attribute(span, 'http.route')).toBe('/data/*path')
  expect(attribute(span, 'waybill.subject')).toBe('user:ann')
  expect(attribute(span, 'waybill.via')).toBe('jwt')
  expect(span?.parentSpanId).toBe('b'.repeat(16))
})

test('the exchange has a span of its own within it, and everything is one trace', () => {
  const span = spans.find((each) => attribute(each, 'waybill.request_id') === 'journey-1')
  expect(named('token.exchange')?.parentSpanId).toBe(span?.spanId)
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set(['a'.repeat(32)]))
})

test('the service behind gets the trace of the request and no baggage', () => {
  const [arrival] = behind.arrivals
  expect(arrival?.headers.traceparent).toMatch(new RegExp(`^00-a{32}-[0-9a-f]{16}-01$`))
  expect(arrival?.headers.traceparent).not.toContain('b'.repeat(16))
  for (const { headers } of [...behind.arrivals, ...auth.arrivals])
    expect(headers).not.toHaveProperty('baggage')
})

test('the log line of the request leads to its trace, its user and its service', () => {
  const line = lines.find((entry) => entry.request_id === 'journey-1' && entry.msg === 'request')
  expect(line).toMatchObject({
    service: 'gateway',
    trace_id: 'a'.repeat(32),
    span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
    user_id: 'ann',
    status: 200,
    path: '/data/v1/x',
  })
})

test('a problem names its trace', () => {
  expect(traceOfProblem).toBe('a'.repeat(32))
})

test('neither the log nor the trace holds a token, a secret or what stood in a query or baggage', () => {
  expect(printed).not.toContain('canary')
  expect(JSON.stringify(spans)).not.toContain('canary')
  expect(JSON.stringify(spans)).not.toContain('eyJ')
})

test('it ends with 0 on SIGTERM, and nothing was printed to stderr', () => {
  expect(exitCode).toBe(0)
  expect(lines.every((line) => typeof line.msg === 'string')).toBe(true)
})
