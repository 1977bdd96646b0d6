import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compare, ratio, table } from './compare.ts'

// What mutual TLS costs over plain HTTP on warm connections: on a real guarded route, and, so that nobody takes the one for
// the other, on a server that does nothing.

/** Takes spans and forgets them: they are made, serialised and sent, as in production. */
const sink = createServer((req, res) => {
  req.resume().once('end', () => res.end('{}'))
})
await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
const { port } = sink.address() as AddressInfo // it listens on a port, not on a pipe

const servers = new URL('servers/mtls.ts', import.meta.url)
try {
  const real = await compare({
    servers,
    variants: ['plain HTTP', 'mutual TLS'],
    rounds: 31,
    requestsPerSlice: 150,
    awake: false,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_SERVICE_NAME: 'work-platform' },
    execArgv: ['--import', '@waybill/telemetry/register'],
  })
  process.stdout.write(
    'GET /api/workspaces of work-platform: token, validation, log, spans, one read in Postgres\n',
  )
  process.stdout.write(table(real, 'plain HTTP'))
  process.stdout.write(
    `mutual TLS keeps ${ratio(real, 'mutual TLS', 'plain HTTP').toFixed(3)} of the throughput (0.955 is wanted)\n\n`,
  )
  const bare = await compare({
    servers,
    variants: ['bare plain HTTP', 'bare mutual TLS'],
    rounds: 9,
    requestsPerSlice: 2_000,
    awake: true,
  })
  process.stdout.write('The same on a bare node:http server with 1 KB of JSON\n')
  process.stdout.write(table(bare, 'bare plain HTTP'))
} finally {
  sink.close()
}
