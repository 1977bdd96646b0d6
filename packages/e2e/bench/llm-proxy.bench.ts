import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startTestPostgres } from '@waybill/dev-env'
import { compare, ratio, table } from './compare.ts'
import { addedUntilFirstChunk } from './first-chunk.ts'
import { startUpstream } from './upstream.ts'

// llm-proxy beside Portkey's open-source gateway and a bare forwarder, before one provider that answers at once. llm-proxy
// verifies a token, decrypts the user's key, counts requests and tokens, writes usage to Postgres, a log line and spans; Portkey
// knows no users. The forwarder with standard tracing alone tells how much of the distance to the bare one that is.

/** Takes spans and forgets them: they are made, serialised and sent, as in production. */
const sink = createServer((req, res) => {
  req.resume().once('end', () => res.end('{}'))
})
await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
const { port } = sink.address() as AddressInfo // it listens on a port, not on a pipe
const postgres = await startTestPostgres('llm-proxy')
const upstream = await startUpstream()

const prompt = { model: 'gpt-4o', messages: [{ role: 'user', content: 'words of a prompt '.repeat(30) }] }
const env = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${String(port)}`,
  OTEL_SERVICE_NAME: 'llm-proxy',
  BENCH_UPSTREAM: upstream.url,
  BENCH_DATABASE_URL: postgres.databaseUrl,
  BENCH_MIGRATION_URL: postgres.migrationUrl,
}
const servers = new URL('servers/llm-proxy.ts', import.meta.url)
const VARIANTS = ['llm-proxy', 'Portkey', 'forwarder', 'traced forwarder']

const WAYS = [
  { title: 'a chat completion as JSON', body: JSON.stringify(prompt), requestsPerSlice: 2_500 },
  {
    title: 'a chat completion as a stream of 20 chunks',
    body: JSON.stringify({ ...prompt, stream: true }),
    requestsPerSlice: 1_500,
  },
]

try {
  for (const { title, body, requestsPerSlice } of WAYS) {
    const rows = await compare({
      ...{ servers, variants: VARIANTS, requestsPerSlice },
      ...{ rounds: 5, awake: false, connections: 50, launches: 2 },
      env: { ...env, BENCH_BODY: body },
    })
    process.stdout.write(`${title}, 50 connections\n${table(rows, 'Portkey')}`)
    const faster = ratio(rows, 'llm-proxy', 'Portkey').toFixed(2)
    const cpu = ratio(rows, 'llm-proxy', 'Portkey', 'cpuMicros').toFixed(2)
    const bare = ratio(rows, 'llm-proxy', 'forwarder', 'cpuMicros').toFixed(2)
    const traced = ratio(rows, 'llm-proxy', 'traced forwarder', 'cpuMicros').toFixed(2)
    process.stdout.write(`throughput ${faster} of Portkey's (2.5 is wanted), CPU ${cpu} (at most 0.35), `)
    process.stdout.write(`${bare} of the bare forwarder's, ${traced} of the traced one's\n\n`)
  }
  const body = JSON.stringify({ ...prompt, stream: true })
  const added = await addedUntilFirstChunk({
    ...{ servers, variants: VARIANTS, upstream: upstream.url, body },
    env: { ...env, BENCH_BODY: body },
  })
  process.stdout.write('time to the first chunk, added to what the provider itself takes\n')
  for (const { name, medianMs, p99Ms } of added) {
    process.stdout.write(
      `${name.padEnd(16)} ${medianMs.toFixed(2)} ms at the median, ${p99Ms.toFixed(2)} at the 99th percentile\n`,
    )
  }
  process.stdout.write('at most 3 ms at the median is wanted\n')
} finally {
  sink.close()
  await upstream.close()
  await postgres.close()
}
