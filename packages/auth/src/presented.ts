import type { PeerIdentity } from './mtls/peers.ts'
import type { IdentityHeader, SentIdentity } from './principal/identity-headers.ts'

/** What a caller sent to prove who it is, whichever way it came: HTTP headers, gRPC metadata. */
export interface PresentedCredentials {
  /** Every Authorization value, as sent. */
  authorization: readonly string[]
  /** Every X-API-Key value, as sent. */
  apiKey: readonly string[]
  identity: SentIdentity
  /** Absent without a client certificate that was verified. */
  peer?: PeerIdentity | undefined
}

const IDENTITY_BY_NAME = new Map<string, IdentityHeader>([
  ['x-user-id', 'X-User-ID'],
  ['x-tenant-id', 'X-Tenant-ID'],
  ['x-service-name', 'X-Service-Name'],
])
/** Other headers are passed over by the length of their name, without making it lower case first. */
const LENGTHS = new Set(
  ['authorization', 'x-api-key', ...IDENTITY_BY_NAME.keys()].map(({ length }) => length),
)

/**
 * What stands in the raw headers of a request: name, value, name, value. The raw ones, because node keeps only the first
 * of two Authorization headers and joins others with a comma.
 */
export function presentedIn(rawHeaders: readonly string[], peer?: PeerIdentity): PresentedCredentials {
  const authorization: string[] = []
  const apiKey: string[] = []
  const identity: Partial<Record<IdentityHeader, string[]>> = {}
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const given = rawHeaders[at] ?? ''
    if (!LENGTHS.has(given.length)) continue
    const value = rawHeaders[at + 1] ?? ''
    const name = given.toLowerCase()
    if (name === 'authorization') authorization.push(value)
    else if (name === 'x-api-key') apiKey.push(value)
    else {
      // Some servers read X_User_ID as X-User-ID, so it must not say anything else.
      const header = IDENTITY_BY_NAME.get(name.replaceAll('_', '-'))
      if (header) (identity[header] ??= []).push(value)
    }
  }
  return { authorization, apiKey, identity, peer }
}
