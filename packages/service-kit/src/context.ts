import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from 'pino'
import type { Principal } from './principal.ts'
import type { Secret } from './secret.ts'

/** What the caller came with, to be exchanged for a token for the next service (RFC 8693's subject token). */
export interface Credential {
  type: 'access-token' | 'api-key'
  secret: Secret
}

/** What belongs to the one request being served, wherever in the code that is. */
export interface RequestContext {
  requestId: string
  log: Logger
  /** The verified caller; absent before authentication and on open routes. */
  principal?: Principal
  /** Absent where the caller has nothing that can be exchanged: a service with a certificate, say. */
  credential?: Credential
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
