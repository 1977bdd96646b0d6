import { parseArgs } from 'node:util'
import { portsFromEnvironment } from '../platform/platform-ports.ts'
import { startPlatform } from '../platform/start.ts'
import { aborted, stopRequest } from './stop-request.ts'
import { overview } from './table.ts'

// npm run platform [-- --json] [-- --data <folder>] [-- --mtls]: everything until SIGTERM or SIGINT. stdout holds the result only.
try {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, data: { type: 'string' }, mtls: { type: 'boolean' } },
  })
  const stop = stopRequest()
  const platform = await startPlatform({
    ...(values.data === undefined ? {} : { dataDir: values.data }),
    ...(values.mtls && { mtls: true }),
    ports: portsFromEnvironment(process.env),
    log: (source, line) => void process.stderr.write(`[${source}] ${line}\n`),
    signal: stop,
  })
  const { services, grpc, accounts, traces, llmUpstream, tls } = platform
  const result = values.json
    ? JSON.stringify({
        ...{ services, grpc, accounts, traces, llm_upstream: llmUpstream.url, tls },
        service_secrets: platform.serviceSecrets,
        reencryption: platform.reencryption,
      })
    : overview(
        { ...services, traces, 'llm-upstream': llmUpstream.url, ...(tls && { 'the CA': tls.ca }) },
        accounts,
      )
  process.stdout.write(`${result}\n`)
  await aborted(stop)
  await platform.close()
  process.exit(0)
} catch (error) {
  const stopped = error instanceof Error && error.name === 'AbortError'
  if (!stopped) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(stopped ? 0 : 1)
}
