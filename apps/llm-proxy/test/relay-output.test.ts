import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const TRACED = fileURLToPath(new URL('fixtures/output-traced.ts', import.meta.url))
const APP = fileURLToPath(new URL('..', import.meta.url))

interface Span {
  name: string
  attributes: { key: string; value: { stringValue?: string } }[]
}

/** The spans that the fixture sends out. */
async function spansOfCalls(environment: Record<string, string>): Promise<Span[]> {
  const spans: Span[] = []
  const collector = createServer((req, res) => {
    void json(req).then((body) => {
      // OTLP, as far as it is looked at here.
      const { resourceSpans } = body as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  try {
    await promisify(execFile)(process.execPath, ['--import', '@waybill/telemetry/register', TRACED], {
      cwd: APP,
      env: {
        ...process.env,
        OTEL_SERVICE_NAME: 'llm-proxy',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${String(port)}`,
        ...environment,
      },
    })
  } finally {
    collector.closeAllConnections()
    collector.close()
  }
  return spans
}

test('what the model wrote is on the span of every chat where content is captured, whole or streamed', async () => {
  const spans = await spansOfCalls({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' })
  const chats = spans.filter(({ name }) => /^(chat|generate_content) /.test(name))
  expect(chats.length).toBeGreaterThan(20)
  for (const { attributes } of chats) {
    const output = attributes.find(({ key }) => key === 'gen_ai.output.messages')
    expect(output?.value.stringValue).toContain('Good morning')
  }
}, 60_000)
