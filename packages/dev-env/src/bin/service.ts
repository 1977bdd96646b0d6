import { SERVICES } from '@waybill/contracts'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appFolder } from '../folders.ts'
import { guardProcess } from '../guard.ts'
import { development } from '../platform/development.ts'
import { SERVICE_ARGS } from '../platform/services-group.ts'
import { databaseReady } from '../postgres/database-ready.ts'
import { portIsFree, PortTakenError } from '../ports.ts'
import { isServiceName, portVariable } from '../services.ts'
import { stopRequest } from './stop-request.ts'

// node service.ts <app>: one service of `npm run dev`, started again whenever a file that it imports changes.
try {
  const service = process.argv[2] ?? ''
  if (!isServiceName(service)) throw new Error(`Say which service: ${SERVICES.join(', ')}.`)
  const { environments, ports } = development(process.env)
  if (!(await portIsFree(ports[service]))) {
    throw new PortTakenError(ports[service], service, portVariable(service))
  }
  const stop = stopRequest()
  const { DATABASE_URL } = environments[service]
  if (DATABASE_URL !== undefined) await databaseReady(DATABASE_URL, stop)
  const child = spawn(process.execPath, ['--watch', '--watch-preserve-output', ...SERVICE_ARGS], {
    cwd: appFolder(service),
    env: environments[service],
    stdio: ['ignore', 'inherit', 'inherit'],
    // Ctrl-C reaches this process, and through it the service: once, not twice.
    detached: true,
  })
  const guard = child.pid === undefined ? undefined : guardProcess(child.pid, 'TERM')
  stop.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  const [code] = (await once(child, 'exit')) as [number | null]
  guard?.release()
  process.exit(stop.aborted ? 0 : (code ?? 1))
} catch (error) {
  if (error instanceof Error && error.name === 'AbortError') process.exit(0)
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
