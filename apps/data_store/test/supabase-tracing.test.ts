import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { OPERATIONS } from './fixtures/every-operation.ts'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { startRecordingProxy } from './fixtures/recording-proxy.ts'
import type { RecordingProxy } from './fixtures/recording-proxy.ts'

const TRACED = fileURLToPath(new URL('fixtures/supabase-traced.ts', import.meta.url))
const APP = fileURLToPath(new URL('..', import.meta.url))

let collector: RecordingProxy
onPostgrest(
  async () => {
    collector = await startRecordingProxy('http://127.0.0.1:1')
    collector.answerInstead = () => ({ status: 200, body: '{}' })
  },
  () => collector.close(),
)

test('each operation has a span, which says what was done where and holds neither key, token, id nor data', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', '@waybill/telemetry/register', TRACED],
    {
      cwd: APP,
      env: { ...process.env, OTEL_SERVICE_NAME: 'data_store', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
    },
  )
  const spans = collector.passed.map(({ body }) => body).join()
  const told = collector.passed.flatMap(({ body }) => spansIn(body))
  expect(told.slice(0, 9).map(({ attributes }) => attributes)).toEqual(
    [...OPERATIONS, 'search'].map((operation) => ({
      'db.operation.name': operation,
      'db.collection.name': 'jottings',
      'db.system.name': 'postgrest',
    })),
  )
  expect(new Set(told.map(({ name }) => name))).toEqual(new Set(['supabase.operation']))
  expect(spans).not.toContain('instrumentation-http')
  expect(spans).not.toContain('canary')
  const secrets = JSON.parse(stdout) as string[]
  expect(secrets.length).toBeGreaterThan(4)
  for (const secret of secrets) expect(spans).not.toContain(secret)
})

interface Told {
  name: string
  attributes: Record<string, string | undefined>
}

/** The spans in a message of OTLP. */
function spansIn(body: string): Told[] {
  const { resourceSpans } = JSON.parse(body) as {
    resourceSpans: { scopeSpans: { spans: Span[] }[] }[]
  }
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
  return spans.map(({ name, attributes }) => ({
    name,
    attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue])),
  }))
}

interface Span {
  name: string
  attributes: { key: string; value: { stringValue?: string } }[]
}
