import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { recorder } from './stand.ts'

const TRACED = fileURLToPath(new URL('fixtures/traced.ts', import.meta.url))
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** What a process with telemetry registered sends to a neighbour, to the outside and to its collector. */
async function traced(environment: NodeJS.ProcessEnv) {
  const [inside, outside, collector] = await Promise.all([recorder(), recorder(), recorder()])
  const child = spawn(process.execPath, ['--import', '@waybill/telemetry/register', TRACED], {
    cwd: PACKAGE,
    env: {
      PATH: process.env.PATH,
      INSIDE: inside.url,
      OUTSIDE: outside.url,
      OTEL_SERVICE_NAME: 'docling',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  await Promise.all([inside.close(), outside.close(), collector.close()])
  const spans = collector.requests.map(({ body }) => body).join()
  return { inside: inside.requests[0]!.headers, outside: outside.requests[0]!.headers, spans }
}

test('a neighbour gets the trace and no baggage; the outside gets neither, and no span tells of it', async () => {
  const { inside, outside, spans } = await traced({})
  expect(inside.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(inside).not.toHaveProperty('baggage')
  expect(Object.keys(outside).sort()).toEqual([
    'accept',
    'accept-encoding',
    'connection',
    'host',
    'user-agent',
  ])
  expect(spans).toContain('"root"')
  expect(spans).not.toContain('canary')
})

test('the outside gets no baggage even from a process that propagates it', async () => {
  const { inside, outside } = await traced({ WITH_BAGGAGE_PROPAGATOR: 'true' })
  expect(inside.baggage).toBe('user=canary') // so that the next line proves something
  expect(Object.keys(outside).sort()).toEqual([
    'accept',
    'accept-encoding',
    'connection',
    'host',
    'user-agent',
  ])
})
