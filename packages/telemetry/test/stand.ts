import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export interface Span {
  service: string
  name: string
  /** 2 is a server span, 3 a client span, 1 an inner one (OTLP's numbers). */
  kind: number
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  attributes: Record<string, unknown>
  events: unknown[]
  /** `code` 2 is an error. */
  status?: { code?: number }
}

interface Wire {
  resourceSpans: {
    resource: { attributes: Attribute[] }
    scopeSpans: { spans: (Omit<Span, 'attributes' | 'service'> & { attributes: Attribute[] })[] }[]
  }[]
}
interface Attribute {
  key: string
  value: {
    stringValue?: string
    intValue?: number
    doubleValue?: number
    boolValue?: boolean
    arrayValue?: { values: Attribute['value'][] }
  }
}

const valueOf = (value: Attribute['value']): unknown =>
  value.stringValue ??
  value.intValue ??
  value.doubleValue ??
  value.boolValue ??
  value.arrayValue?.values.map(valueOf)
const record = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]))

/** A collector that takes OTLP in JSON; `paths` holds where something was pushed. */
export async function collector() {
  const spans: Span[] = []
  const paths: string[] = []
  const server = createServer((req, res) => {
    paths.push(req.url ?? '')
    void text(req).then((body) => {
      for (const { resource, scopeSpans } of (JSON.parse(body) as Wire).resourceSpans) {
        const service = String(record(resource.attributes)['service.name'])
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
          spans.push({ ...span, service, attributes: record(span.attributes) })
        }
      }
      res.setHeader('Content-Type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  return { url, spans, paths, close: () => server.close() }
}

const HOP = fileURLToPath(new URL('fixtures/hop.ts', import.meta.url))
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** A service as a process, with telemetry registered the way services register it. `end` gives its last words. */
export async function hop(environment: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ['--import', '@waybill/telemetry/register', HOP], {
    cwd: PACKAGE,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(output + errors)))
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const line = /^(\d+)\n/.exec(output)
      if (line) resolve(line[1]!)
    })
    void ended.then(() => reject(new Error(errors)))
  })
  const end = (): Promise<string> => {
    child.kill('SIGTERM')
    return ended
  }
  return { url: `http://127.0.0.1:${port}`, end }
}
