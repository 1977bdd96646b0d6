import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from 'pino'
import type { Principal } from './principal.ts'
import type { Secret } from './secret.ts'

/** What belongs to the one request being served, wherever in the code that is. */
export interface RequestContext {
  requestId: string
  log: Logger
  /** The verified caller; absent before authentication and on open routes. */
  principal?: Principal
  /** The bearer token that the caller came with: the subject token of an exchange. */
  credential?: Secret
  /** When the caller stops waiting, in milliseconds since the epoch. */
  deadline: number
  /** Aborted when the client goes away or the deadline passes. */
  signal: AbortSignal
}

const storage = new AsyncLocalStorage<RequestContext>()

/** The request being served, or undefined outside any (start-up, housekeeping). */
export function requestContext(): RequestContext | undefined {
  return storage.getStore()
}

/** Runs `work` as part of the request that `context` describes. */
export function runInContext<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work)
}
