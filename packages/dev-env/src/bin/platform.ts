import { parseArgs } from 'node:util'
import { portsFromEnvironment } from '../platform/platform-ports.ts'
import { startPlatform } from '../platform/start.ts'
import { aborted, stopRequest } from './stop-request.ts'
import { overview } from './table.ts'

// npm run platform [-- --json] [-- --data <folder>]: everything until SIGTERM or SIGINT. stdout holds the result only.
try {
  const { values } = parseArgs({ options: { json: { type: 'boolean' }, data: { type: 'string' } } })
  const stop = stopRequest()
  const platform = await startPlatform({
    ...(values.data === undefined ? {} : { dataDir: values.data }),
    ports: portsFromEnvironment(process.env),
    log: (source, line) => void process.stderr.write(`[${source}] ${line}\n`),
    signal: stop,
  })
  const { services, accounts, traces } = platform
  const result = values.json
    ? JSON.stringify({ services, accounts, traces })
    : overview({ ...services, traces }, accounts)
  process.stdout.write(`${result}\n`)
  await aborted(stop)
  await platform.close()
  process.exit(0)
} catch (error) {
  const stopped = error instanceof Error && error.name === 'AbortError'
  if (!stopped) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(stopped ? 0 : 1)
}
