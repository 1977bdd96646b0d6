import type { X509Certificate } from 'node:crypto'

/** From when until when something is good, in milliseconds since the epoch. */
export interface Period {
  from: number
  until: number
}

/** One CA below the root and one to spare. */
const LONGEST_PATH = 3

/**
 * When the path from `certificate` up to a root among `authorities` is good: the time in which all of it is. Undefined
 * when there is none. TLS has judged the chain at the handshake; this judges it again by the CAs of now.
 *
 * A CA below the root has to be among `authorities` itself: what a client sends beside its own certificate is not to be
 * had on every version of node (nodejs/node#65579).
 */
export function trustedPeriod(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  depth = 0,
): Period | undefined {
  const own = { from: certificate.validFromDate.getTime(), until: certificate.validToDate.getTime() }
  if (depth > 0 && isIssuedBy(certificate, certificate)) return own
  if (depth > LONGEST_PATH) return undefined
  for (const issuer of authorities) {
    if (!isIssuedBy(certificate, issuer)) continue
    const above = trustedPeriod(issuer, authorities, depth + 1)
    if (above) return { from: Math.max(own.from, above.from), until: Math.min(own.until, above.until) }
  }
  return undefined
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
