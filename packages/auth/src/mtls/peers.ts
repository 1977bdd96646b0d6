import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { Problem } from '@waybill/service-kit'
import type { Tls, TrustBundle } from '@waybill/service-kit'
import { CertificateError, certifiedService, thumbprintOf } from './certificate.ts'
import { trustedPeriod } from './trust-path.ts'
import type { Period } from './trust-path.ts'

/** The service at the other end of a connection, as its certificate proved it. */
export interface PeerIdentity {
  service: string
  /** By policy; nothing that the certificate says. */
  permissions: readonly string[]
  /** The `x5t#S256` of RFC 8705: base64url of the SHA-256 of the certificate. */
  thumbprint: string
}

/** What services may do in their own name, by the name in their SPIFFE id; who is not in it is refused. */
export type PeerPolicy = Readonly<Record<string, readonly string[]>>

export interface PeersOptions {
  /** Whose trust domain and CA bundle of the moment decide; nobody is a peer without. */
  tls: Pick<Tls, 'current' | 'trustDomain'> | undefined
  policy?: PeerPolicy
  /** Milliseconds since the epoch. */
  now?: () => number
}

export interface Peers {
  /**
   * Who is at the other end of `socket`; undefined when no certificate was shown.
   * @throws Problem invalid_token when one was shown that is not accepted, or is not any more
   */
  peerOf: (socket: object) => PeerIdentity | undefined
  /** For a strict listener: why the client may not stay; undefined when it may. */
  peerRefusal: (socket: object) => string | undefined
}

/** The services of the platform. None of them may do a user's work in its own name. */
const PLATFORM_POLICY: PeerPolicy = {
  gateway: [],
  'auth-service': [],
  'llm-proxy': [],
  docling: [],
  data_store: [],
  'work-platform': [],
  'substrate-api': [],
}

/** What is known of a connection for as long as `trust` is the bundle: all but whether it is the time now. */
interface Judgement {
  trust: TrustBundle
  verdict: { identity: PeerIdentity; period: Period } | { refusal: string }
}

/** Judges client certificates, per request: a connection outlives certificates and CAs. */
export function createPeers({ tls, policy = PLATFORM_POLICY, now = Date.now }: PeersOptions): Peers {
  const judged = new WeakMap<TLSSocket, Judgement>()

  const judge = (
    leaf: X509Certificate,
    { trustDomain, trust, authorized }: { trustDomain: string; trust: TrustBundle; authorized: boolean },
  ): Judgement['verdict'] => {
    if (!authorized) return { refusal: 'The certificate is not trusted.' }
    try {
      const service = certifiedService(leaf, { trustDomain, usage: 'client' })
      const permissions = Object.hasOwn(policy, service) ? policy[service] : undefined
      if (!permissions) return { refusal: 'The certificate names no service of this platform.' }
      const period = trustedPeriod(leaf, trust.certificates)
      if (!period) return { refusal: 'The certificate is of a CA that is not trusted.' }
      return { identity: { service, permissions, thumbprint: thumbprintOf(leaf) }, period }
    } catch (error) {
      if (error instanceof CertificateError) return { refusal: error.message }
      throw error
    }
  }

  const peerOf = (socket: object): PeerIdentity | undefined => {
    if (!tls || !(socket instanceof TLSSocket)) return undefined
    const { trust } = tls.current()
    let known = judged.get(socket)
    if (known?.trust !== trust) {
      // A resumed session tells of no certificate, or of one that was judged in another time (nodejs/node#35317).
      const leaf = socket.isSessionReused() ? undefined : socket.getPeerX509Certificate()
      if (!leaf) return undefined
      const { authorized } = socket
      known = { trust, verdict: judge(leaf, { trustDomain: tls.trustDomain, trust, authorized }) }
      judged.set(socket, known)
    }
    const { verdict } = known
    if ('refusal' in verdict) throw new Problem('invalid_token', verdict.refusal)
    const { from, until } = verdict.period
    if (now() < from || now() > until) {
      throw new Problem('invalid_token', 'The certificate is not valid at this time.')
    }
    return verdict.identity
  }

  return {
    peerOf,
    peerRefusal(socket) {
      try {
        return peerOf(socket) ? undefined : 'A client certificate is required.'
      } catch (error) {
        if (error instanceof Problem) return error.message
        throw error
      }
    },
  }
}
