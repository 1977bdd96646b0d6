import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
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

test('each call has a span, which says where it went and holds neither key, token, id nor data', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', '@waybill/telemetry/register', TRACED],
    {
      cwd: APP,
      env: { ...process.env, OTEL_SERVICE_NAME: 'data_store', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
    },
  )
  const spans = collector.passed.map(({ body }) => body).join()
  expect(spans).toContain('supabase.operation')
  expect(spans).toContain('postgrest')
  expect(spans).toContain('notes')
  expect(spans).not.toContain('instrumentation-http')
  expect(spans).not.toContain('canary')
  const secrets = JSON.parse(stdout) as string[]
  expect(secrets.length).toBeGreaterThan(4)
  for (const secret of secrets) expect(spans).not.toContain(secret)
})
