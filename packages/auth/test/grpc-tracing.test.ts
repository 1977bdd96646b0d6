import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const TRACED = fileURLToPath(new URL('fixtures/grpc-traced.ts', import.meta.url))
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

interface Span {
  name: string
  /** 2 is a server span, 3 a client span, 1 an inner one (OTLP's numbers). */
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  status: { code?: number }
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[]
}
interface Sent {
  resourceSpans: { scopeSpans: { spans: Span[] }[] }[]
}

/** The spans of a process with telemetry registered, and what it printed. */
async function traced(): Promise<{ spans: Span[]; printed: string; body: string }> {
  const bodies: string[] = []
  const collector = createServer((req, res) => {
    void text(req).then((body) => {
      bodies.push(body)
      res.setHeader('Content-Type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  const child = spawn(process.execPath, ['--import', '@waybill/telemetry/register', TRACED], {
    cwd: PACKAGE,
    env: {
      PATH: process.env.PATH,
      OTEL_SERVICE_NAME: 'docling',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    },
  })
  const [printed, errors, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ])
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  await new Promise((resolve) => collector.close(resolve))
  const sent = bodies.map((body) => JSON.parse(body) as Sent)
  const spans = sent.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)),
  )
  return { spans, printed, body: bodies.join() }
}

test('a call continues the trace of its caller, through a client and a server span of the conventions', async () => {
  const { spans, printed, body } = await traced()
  const root = spans.find(({ name }) => name === 'document.convert')!
  const calls = spans.filter(({ kind }) => kind === 3)
  const served = spans.filter(({ kind }) => kind === 2)
  expect(calls.map(({ name }) => name)).toEqual(['test.Things/Read', 'test.Things/Read'])
  expect(calls.map(({ parentSpanId }) => parentSpanId)).toEqual([root.spanId, root.spanId])
  // Both, although the caller of the first had set a traceparent of its own.
  expect(served.map(({ parentSpanId }) => parentSpanId)).toEqual(calls.map(({ spanId }) => spanId))
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([root.traceId]))

  const attributesOf = ({ attributes }: Span) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]))
  expect(attributesOf(served[0]!)).toMatchObject({
    'rpc.system': 'grpc',
    'rpc.service': 'test.Things',
    'rpc.method': 'Read',
    'rpc.grpc.status_code': 0,
    'waybill.request_id': 'journey-1',
    'waybill.subject': 'user:u1',
    'waybill.via': 'jwt',
  })
  expect(attributesOf(served[1]!)).toMatchObject({ 'rpc.grpc.status_code': 16 })
  // A refusal is the caller's failure and not the server's.
  expect([served[1]!.status.code, calls[1]!.status.code]).toEqual([0, 2])
  expect(JSON.parse(printed)).toEqual({ traceId: root.traceId, spanId: served[0]!.spanId })
  expect(body).not.toContain('eyJ')
})
