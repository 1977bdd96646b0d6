import { SERVICES, type ServiceName } from '@waybill/contracts'
import type { CertificateFiles } from '../certs/files.ts'
import { appFolder } from '../folders.ts'
import type { Environment } from '../service-environment.ts'
import { perService, type PerService } from '../services.ts'
import { waitUntilReady } from './readiness.ts'
import { startServiceProcess } from './service-process.ts'
import { describeEnd, supervise } from './supervisor.ts'

export interface Services {
  /** Resolves when all are ready. Throws when one ends before, with its name and last lines, or takes too long. */
  ready: (
    urls: PerService<string>,
    options?: { signal?: AbortSignal; tls?: CertificateFiles },
  ) => Promise<void>
  pids: () => PerService<number | undefined>
  kill: (service: ServiceName, signal?: NodeJS.Signals) => void
  close: () => Promise<void>
}

const READY_MS = 90_000

/** How a service is started in its own folder: its telemetry comes before its code. */
export const SERVICE_ARGS: readonly string[] = ['--import', '@waybill/telemetry/register', 'src/main.ts']

/** Starts the seven services, in no order: each waits for its neighbours by itself. */
export function startServices(
  environments: PerService<Environment>,
  log: (source: string, line: string) => void,
): Services {
  const running = perService((service) => {
    const logLine = (line: string) => {
      log(service, line)
    }
    return supervise({
      start: () =>
        startServiceProcess({
          args: SERVICE_ARGS,
          cwd: appFolder(service),
          env: environments[service],
          log: logLine,
        }),
      log: logLine,
    })
  })
  return {
    ready: async (urls, { signal, tls } = {}) => {
      const over = new AbortController()
      const ends = signal ? AbortSignal.any([over.signal, signal]) : over.signal
      const failures = SERVICES.map(async (service) => {
        const ended = await running[service].failed
        throw new Error(
          `${service} ended ${describeEnd(ended)} before it was ready:\n${ended.lines.join('\n')}`,
        )
      })
      const all = Promise.all(
        SERVICES.map((service) => {
          const credentials = tls && { bundle: tls.bundle, own: tls.services[service] }
          return waitUntilReady(urls[service], READY_MS, ends, credentials)
        }),
      )
      try {
        await Promise.race([all, ...failures])
      } finally {
        over.abort()
        all.catch(() => undefined)
      }
      for (const service of SERVICES) running[service].keepRunning()
    },
    pids: () => perService((service) => running[service].pid()),
    kill: (service, signal = 'SIGKILL') => {
      running[service].kill(signal)
    },
    close: async () => {
      await Promise.all(SERVICES.map((service) => running[service].close()))
    },
  }
}
