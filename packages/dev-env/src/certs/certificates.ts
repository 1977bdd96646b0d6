import { spiffeId } from '@waybill/auth'
import { SERVICES, type ServiceName } from '@waybill/contracts'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createAuthority, loadAuthority, type Authority, type Certified } from './authority.ts'
import { certificateFiles, readCertified, readText, writeCertified, writeWhole } from './files.ts'
import type { CertificateFiles } from './files.ts'

/** Of the development platform, and the default of every service. */
export const TRUST_DOMAIN = 'waybill.local'

const HOUR_MS = 3_600_000
const LEAF_MS = 24 * HOUR_MS
const AUTHORITY_MS = 365 * 24 * HOUR_MS
/** What has less than this left is made anew. */
const LEAF_RESERVE_MS = 8 * HOUR_MS
const AUTHORITY_RESERVE_MS = 30 * 24 * HOUR_MS
/** Clocks differ. */
const BACKDATED_MS = 5 * 60_000

export interface CertificatesOptions {
  folder: string
  trustDomain?: string
  now?: () => number
}

/** The CA and the certificates of a development platform, in a folder that running services watch. */
export interface Certificates {
  files: CertificateFiles
  /** Makes what is missing or nearly over, and keeps the rest. Gives back the services that got a new certificate. */
  ensure: () => Promise<ServiceName[]>
  /** A new certificate for every service. */
  renew: () => Promise<void>
  /**
   * First step of replacing the CA: the new one is believed beside the old, and signs from now on. Services have to
   * have read the bundle before `renew`. Throws while an earlier replacement is not finished.
   */
  addAuthority: () => Promise<void>
  /** Last step: only the CA that signs is believed. Throws while a certificate of another is in use. */
  retireAuthorities: () => Promise<void>
}

export function openCertificates(options: CertificatesOptions): Certificates {
  const { trustDomain = TRUST_DOMAIN, now = Date.now } = options
  const files = certificateFiles(options.folder)

  const authority = async (): Promise<Authority> => {
    const kept = readCertified(files.authority)
    if (kept && isGood(kept, AUTHORITY_RESERVE_MS, now())) return loadAuthority(kept)
    const made = await newAuthority()
    // Believed before it signs. Who is still in the bundle signed what is in use.
    writeWhole(files.bundle, made.certificate + (readText(files.bundle) ?? ''))
    writeCertified(files.authority, made)
    return made
  }
  const newAuthority = () => createAuthority({ from: now() - BACKDATED_MS, until: now() + AUTHORITY_MS })

  const issue = async (service: ServiceName, issuer: Authority): Promise<void> => {
    const certified = await issuer.issue({
      commonName: service,
      names: [
        { type: 'url', value: spiffeId(trustDomain, service) },
        ...[service, 'localhost'].map((value) => ({ type: 'dns' as const, value })),
        { type: 'ip', value: '127.0.0.1' },
      ],
      from: now() - BACKDATED_MS,
      until: now() + LEAF_MS,
    })
    writeCertified(files.services[service], certified)
  }

  const isKept = (service: ServiceName, issuer: Authority): boolean => {
    const certified = readCertified(files.services[service])
    if (!certified || !isGood(certified, LEAF_RESERVE_MS, now())) return false
    const leaf = new X509Certificate(certified.certificate)
    const isOurs = leaf.subjectAltName?.startsWith(`URI:${spiffeId(trustDomain, service)},`) ?? false
    return isOurs && isSignedBy(leaf, issuer)
  }

  return {
    files,
    async ensure() {
      const issuer = await authority()
      // A bundle that was lost is made again; one that holds more than the CA that signs is left as it is.
      if (!readText(files.bundle)?.includes(issuer.certificate)) writeWhole(files.bundle, issuer.certificate)
      const lacking = SERVICES.filter((service) => !isKept(service, issuer))
      for (const service of lacking) await issue(service, issuer)
      return lacking
    },
    async renew() {
      const issuer = await authority()
      for (const service of SERVICES) await issue(service, issuer)
    },
    async addAuthority() {
      const old = await authority()
      if (readText(files.bundle) !== old.certificate) {
        throw new Error('Another CA is still believed: finish with retire-ca before the next rotate-ca.')
      }
      const made = await newAuthority()
      writeWhole(files.bundle, made.certificate + old.certificate)
      writeCertified(files.authority, made)
    },
    async retireAuthorities() {
      const issuer = await authority()
      const foreign = SERVICES.filter((service) => {
        const certified = readCertified(files.services[service])
        return certified && !isSignedBy(new X509Certificate(certified.certificate), issuer)
      })
      if (foreign.length > 0) {
        throw new Error(
          `The certificates of ${foreign.join(', ')} are of the old CA: run rotate before retire-ca.`,
        )
      }
      writeWhole(files.bundle, issuer.certificate)
    },
  }
}

function isSignedBy(leaf: X509Certificate, issuer: Certified): boolean {
  const authority = new X509Certificate(issuer.certificate)
  return leaf.checkIssued(authority) && leaf.verify(authority.publicKey)
}

function isGood({ certificate, key }: Certified, reserveMs: number, now: number): boolean {
  try {
    const parsed = new X509Certificate(certificate)
    const isNow = parsed.validFromDate.getTime() <= now && parsed.validToDate.getTime() - reserveMs > now
    return isNow && parsed.checkPrivateKey(createPrivateKey(key))
  } catch {
    // What cannot be read is made anew.
    return false
  }
}
