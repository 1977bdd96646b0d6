import { createHash } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import { alternativeNames } from './alternative-names.ts'
import { serviceInSpiffeId } from './spiffe-id.ts'

/** For which side of a connection a certificate is good: the extended key usages of RFC 5280 section 4.2.1.12. */
const USAGE = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const

/** A certificate is not accepted; the message names the rule and nothing out of the certificate. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
  /** For those who only see an error's code. */
  readonly code = 'ERR_PEER_CERTIFICATE'
}

/**
 * The service whose certificate this is, by its one SPIFFE id (X509-SVID sections 2 and 4). Says nothing about who
 * signed it and until when it is good.
 * @throws CertificateError
 */
export function certifiedService(
  certificate: X509Certificate,
  { trustDomain, usage }: { trustDomain: string; usage: keyof typeof USAGE },
): string {
  if (certificate.ca) throw new CertificateError('The certificate is that of a CA.')
  // The types promise an array; node leaves it out when the certificate does.
  const usages = certificate.keyUsage as string[] | undefined
  if (usages && !usages.includes(USAGE[usage])) {
    throw new CertificateError(`The certificate is not for use as a ${usage}.`)
  }
  const names = alternativeNames(certificate.subjectAltName)
  if (!names) throw new CertificateError('The alternative names of the certificate cannot be read.')
  const uris = names.filter(({ type }) => type.toUpperCase() === 'URI')
  const [uri] = uris
  if (!uri || uris.length > 1) throw new CertificateError('The certificate does not have exactly one URI.')
  const service = serviceInSpiffeId(uri.value, trustDomain)
  if (service === undefined) throw new CertificateError('The certificate names no service of this platform.')
  return service
}

/** The `x5t#S256` of RFC 8705 section 3.1: SHA-256 of the DER, in base64url. */
export function thumbprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}
