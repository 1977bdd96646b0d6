import { createClient } from '@redis/client'
import type { Logger } from 'pino'
import type { Secret } from './secret.ts'

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 3_000
/** A command that takes longer is given up: the caller has something else to do then. */
const COMMAND_LIMIT_MS = 500

/**
 * A client of Redis that connects, and connects anew, by itself. A command while it is away fails at once instead of
 * waiting; that it is away, and that it is back, is logged once each.
 */
export function connectRedis(url: Secret, log: Logger) {
  const client = createClient({
    url: url.reveal(),
    disableOfflineQueue: true,
    commandOptions: { timeout: COMMAND_LIMIT_MS },
    socket: {
      connectTimeout: LAST_RETRY_MS,
      reconnectStrategy: (retries) => Math.min(FIRST_RETRY_MS * 2 ** retries, LAST_RETRY_MS),
    },
  })
  let away = false
  const known = Promise.withResolvers<undefined>()
  client.on('error', (error: unknown) => {
    known.resolve(undefined)
    if (away) return
    away = true
    log.error({ err: error }, 'Redis cannot be reached; each process counts for itself')
  })
  client.on('ready', () => {
    known.resolve(undefined)
    if (away) log.info('Redis can be reached again')
    away = false
  })
  // Rejects only when it is closed before it has ever connected; failures are told by the events above.
  const connecting = client.connect().catch(() => undefined)
  return {
    client,
    /** Resolves when it is known whether Redis can be reached: connected, or refused for the first time. */
    known: known.promise,
    async close(): Promise<void> {
      client.destroy()
      known.resolve(undefined)
      await connecting
    },
  }
}
