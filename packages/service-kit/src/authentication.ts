import type { Authenticate } from './handler.ts'
import type { Check, StartTask } from './readiness.ts'
import type { PeerRefusal } from './tls/listener.ts'

/** How a service tells who calls it: what createServiceAuth of @waybill/auth gives. */
export interface Authentication {
  authenticate: Authenticate
  /** Asked for every connection and request where TLS_CLIENT_AUTH is `required`. */
  peerRefusal?: PeerRefusal
  /** The last start task: begins to follow what is revoked; resolves when that was asked for once. */
  start?: StartTask
  /** A check of readiness: rejects while no credential can be believed, as before the list of revocations was ever read. */
  ready?: Check
  /** Done first when the service closes. */
  close?: () => Promise<void>
}
