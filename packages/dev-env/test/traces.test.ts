import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PortTakenError, startTraceReceiver, type Trace, type TraceReceiver } from '../src/index.ts'

let receiver: TraceReceiver
beforeEach(async () => {
  receiver = await startTraceReceiver({ maxTraces: 3 })
})
afterEach(() => receiver.close())

const TRACE = 'a'.repeat(32)
const id = (number: number) => number.toString(16).padStart(16, '0')

interface Options {
  kind?: number
  attributes?: Record<string, unknown>
  traceId?: string
  startMs?: number
}

function span(
  spanId: number,
  parent: number,
  { kind = 2, attributes = {}, traceId = TRACE, startMs = 0 }: Options,
) {
  const start = 1_790_000_000_000_000_000n + BigInt(startMs) * 1_000_000n
  return {
    traceId,
    spanId: id(spanId),
    parentSpanId: parent ? id(parent) : '',
    name: 'GET',
    kind,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 12_500_000n),
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
    status: { code: 0 },
  }
}

function exportOf(service: string, ...spans: unknown[]) {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] }
  return { resource, scopeSpans: [{ scope: { name: 'test' }, spans }] }
}

function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  path = '/v1/traces',
) {
  const content = { 'content-type': 'application/json', ...headers }
  return fetch(receiver.url + path, { method: 'POST', headers: content, body })
}

const send = (...resourceSpans: unknown[]) => post(JSON.stringify({ resourceSpans }))
const text = (stringValue: string) => ({ stringValue })
const texts = (...values: string[]) => ({ arrayValue: { values: values.map(text) } })

async function sendJourney() {
  // Each service exports by itself, and the root, which ends last, arrives last.
  await send(
    exportOf(
      'llm-proxy',
      span(5, 3, {
        startMs: 4,
        attributes: {
          'http.request.method': text('POST'),
          'http.route': text('/llm'),
          'http.response.status_code': { intValue: '200' },
          'waybill.request_id': text('req-1'),
          'waybill.subject': text('user:u1'),
          'waybill.actors': texts('docling', 'gateway'),
        },
      }),
    ),
  )
  await send(
    exportOf(
      'gateway',
      span(3, 2, { kind: 3, startMs: 3 }),
      span(2, 1, { kind: 1, startMs: 2 }),
      span(1, 0, {
        startMs: 1,
        attributes: {
          'http.request.method': text('POST'),
          'http.route': text('/llm'),
          'http.response.status_code': { intValue: 201 },
          'waybill.request_id': text('req-1'),
        },
      }),
    ),
  )
}

describe('the JSON API', () => {
  it('gives hops whose parent is the nearest server span, through client and internal spans', async () => {
    await sendJourney()
    const answer = await fetch(`${receiver.url}/api/traces/${TRACE}`)
    const trace = (await answer.json()) as Trace
    expect(trace).toMatchObject({ traceId: TRACE, requestId: 'req-1' })
    expect(trace.spans).toHaveLength(4)
    expect(trace.hops).toEqual([
      {
        ...{
          spanId: id(1),
          parentSpanId: null,
          service: 'gateway',
          method: 'POST',
          route: '/llm',
          status: 201,
        },
        ...{ ms: 12.5, startedAt: '2026-09-21T14:13:20.001Z', subject: null, actors: [], requestId: 'req-1' },
      },
      {
        ...{
          spanId: id(5),
          parentSpanId: id(1),
          service: 'llm-proxy',
          method: 'POST',
          route: '/llm',
          status: 200,
        },
        ...{ ms: 12.5, startedAt: '2026-09-21T14:13:20.004Z', subject: 'user:u1' },
        ...{ actors: ['docling', 'gateway'], requestId: 'req-1' },
      },
    ])
  })

  it('finds by request id, and only what has it', async () => {
    await sendJourney()
    const find = async (requestId: string) => {
      const answer = await fetch(`${receiver.url}/api/traces?request_id=${requestId}`)
      return ((await answer.json()) as { traces: Trace[] }).traces.map(({ traceId }) => traceId)
    }
    expect(await find('req-1')).toEqual([TRACE])
    expect(await find('req-2')).toEqual([])
    expect((await fetch(`${receiver.url}/api/traces/${'b'.repeat(32)}`)).status).toBe(404)
  })

  it('keeps the newest traces only', async () => {
    for (const digit of ['1', '2', '3', '4', '5']) {
      await send(exportOf('gateway', span(1, 0, { traceId: digit.repeat(32) })))
    }
    const kept = receiver.store.recent(10).map(({ traceId }) => traceId[0])
    expect(kept).toEqual(['5', '4', '3'])
  })

  it('survives spans that claim to be their own ancestors', async () => {
    await send(exportOf('gateway', span(1, 2, {}), span(2, 1, { kind: 3 }), span(3, 3, {})))
    expect(receiver.store.get(TRACE)?.hops.map((hop) => hop.parentSpanId)).toEqual([null, null])
    expect((await fetch(`${receiver.url}/traces/${TRACE}`)).status).toBe(200)
  })
})

describe('the intake', () => {
  it('takes gzip', async () => {
    const body = gzipSync(JSON.stringify({ resourceSpans: [exportOf('gateway', span(1, 0, {}))] }))
    expect((await post(body, { 'content-encoding': 'gzip' })).status).toBe(200)
    expect(receiver.store.get(TRACE)?.hops).toHaveLength(1)
  })

  it('refuses protobuf and names the setting that helps', async () => {
    const answer = await post('\n', { 'content-type': 'application/x-protobuf' })
    expect(answer.status).toBe(415)
    expect(await answer.text()).toContain('OTEL_EXPORTER_OTLP_PROTOCOL=http/json')
  })

  it.each([
    ['no JSON', '{'],
    ['no export', '[]'],
    [
      'an id that is none',
      JSON.stringify({ resourceSpans: [exportOf('x', { ...span(1, 0, {}), spanId: '../x' })] }),
    ],
    [
      'a time that is none',
      JSON.stringify({ resourceSpans: [exportOf('x', { ...span(1, 0, {}), endTimeUnixNano: {} })] }),
    ],
  ])('answers 400 to %s and keeps nothing', async (_, body) => {
    expect((await post(body)).status).toBe(400)
    expect((await post('not gzip', { 'content-encoding': 'gzip' })).status).toBe(400)
    expect(receiver.store.recent(10)).toEqual([])
  })

  it('refuses what is too large once unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(17 * 1024 ** 2, ' '))
    expect((await post(bomb, { 'content-encoding': 'gzip' })).status).toBe(413)
  })

  it('accepts metrics and logs, and drops them', async () => {
    expect((await post('{}', {}, '/v1/metrics')).status).toBe(200)
    expect((await post('{}', {}, '/v1/logs')).status).toBe(200)
    expect((await post('{}', {}, '/v1/other')).status).toBe(404)
  })
})

describe('the page', () => {
  it('escapes whatever a service reports, and allows no inline code', async () => {
    const evil = `<script>alert(1)</script>"'&`
    await send(
      exportOf(
        evil,
        span(1, 0, {
          attributes: {
            'http.request.method': text(evil),
            'http.route': text(evil),
            'waybill.request_id': text(evil),
            'waybill.subject': text(evil),
            'waybill.actors': texts(evil),
          },
        }),
        { ...span(2, 1, { kind: 1 }), name: evil },
      ),
    )
    const paths = [
      '/',
      `/traces/${TRACE}`,
      `/requests/${encodeURIComponent(evil)}`,
      `/?q=${encodeURIComponent(`${evil}-no`)}`,
    ]
    for (const path of paths) {
      const answer = await fetch(receiver.url + path)
      const page = await answer.text()
      expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;')
      expect(page).not.toContain('<script>alert')
      expect(page).not.toMatch(/ style=|<style/)
      expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'.*script-src 'self'/)
    }
  })

  it('shows a request with each hop, its subject and its actors', async () => {
    await sendJourney()
    const page = await (await fetch(`${receiver.url}/requests/req-1`)).text()
    for (const part of ['gateway', 'llm-proxy', '/llm', 'user:u1', 'docling ← gateway', TRACE]) {
      expect(page).toContain(part)
    }
    expect(await (await fetch(`${receiver.url}/?q=${TRACE}`)).text()).toContain('docling ← gateway')
    expect((await fetch(`${receiver.url}/requests/unknown`)).status).toBe(404)
    for (const asset of ['/page.css', '/page.js'])
      expect((await fetch(receiver.url + asset)).status).toBe(200)
  })
})

describe('its port', () => {
  it('when only preferred gives way, when asked for is named in the error', async () => {
    const other = await startTraceReceiver({ preferPort: receiver.port })
    expect(other.port).not.toBe(receiver.port)
    await other.close()
    const error: unknown = await startTraceReceiver({ port: receiver.port }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(PortTakenError)
    expect(String(error)).toMatch(new RegExp(`${receiver.port}.*TRACES_PORT`))
  })
})
