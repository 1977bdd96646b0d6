import { stopTelemetry } from '@waybill/telemetry'
import type { z } from 'zod'
import { ConfigError, loadConfig } from './config.ts'
import type { Service } from './service.ts'
import type { ServiceConfig } from './service-env.ts'

/**
 * Runs a service as a process: reads the environment, listens, starts, and on SIGTERM or SIGINT drains and ends with
 * 0. What keeps it from running is one message on stderr and exit code 1.
 */
export async function serve<S extends z.ZodObject>(
  schema: S,
  createApp: (config: z.output<S>) => Service,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  let service: Service | undefined
  const stopping = new AbortController()
  try {
    const config = loadConfig(schema, environment)
    const running = createApp(config)
    service = running
    const stop = (signal: NodeJS.Signals): void => {
      stopping.abort()
      void drainAndExit(running, signal)
    }
    process.once('SIGTERM', stop).once('SIGINT', stop)
    const { url } = await listen(running, config as unknown as ServiceConfig) // every schema spreads serviceEnv()
    running.log.info({ url, pid: process.pid }, 'listening')
    await running.start()
    running.log.info({ url }, 'ready')
  } catch (error) {
    // A start that was cut short by a signal is not a failure; drainAndExit ends the process.
    if (stopping.signal.aborted) return
    process.stderr.write(`${reason(error)}\n`)
    await service?.close().catch(() => undefined)
    await stopTelemetry()
    process.exit(1)
  }
}

async function drainAndExit(service: Service, signal: NodeJS.Signals): Promise<void> {
  service.log.info({ signal }, 'draining')
  const code = await service.close().then(
    () => 0,
    (error: unknown) => {
      service.log.error({ err: error }, 'could not close in order')
      return 1
    },
  )
  await stopTelemetry()
  process.exit(code)
}

async function listen(service: Service, { HOST, PORT }: ServiceConfig): Promise<{ url: string }> {
  try {
    return await service.listen({ host: HOST, port: PORT })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new Error(
      `${service.name}: port ${String(PORT)} on ${HOST} is taken. Stop what listens there, or set PORT.`,
      {
        cause: error,
      },
    )
  }
}

function reason(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  return error instanceof Error ? error.message : String(error)
}
