// The library wants it before itself.
import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { Extension, JsonGeneralName } from '@peculiar/x509'
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'

/** A certificate with its key, both in PEM. */
export interface Certified {
  certificate: string
  key: string
}

export interface CertificateRequest {
  commonName: string
  names: JsonGeneralName[]
  /** Milliseconds since the epoch. */
  from: number
  until: number
  /** Both sides of TLS unless said. */
  usages?: ('server' | 'client')[]
  /** A CA below this one. */
  isAuthority?: boolean
}

/** Signs the certificates of a development platform. */
export interface Authority extends Certified {
  issue(request: CertificateRequest): Promise<Certified>
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const USAGES = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth }

/** A new CA of its own. */
export async function createAuthority(
  request: Pick<CertificateRequest, 'from' | 'until'>,
): Promise<Authority> {
  const serial = newSerial()
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial,
    // Two CAs of one name could not be told apart while one replaces the other.
    name: `CN=Waybill development CA ${serial.slice(0, 8)}`,
    ...dates(request),
    signingAlgorithm: CURVE,
    keys,
    extensions: [...authorityExtensions(), await SubjectKeyIdentifierExtension.create(keys.publicKey)],
  })
  return authorityOf(certificate, keys.privateKey, await exported(keys.privateKey))
}

/** A CA from its PEM files. Throws when they hold something else. */
export async function loadAuthority({ certificate, key }: Certified): Promise<Authority> {
  const der = createPrivateKey(key).export({ format: 'der', type: 'pkcs8' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, CURVE, true, ['sign'])
  return authorityOf(new X509Certificate(certificate), signingKey, key)
}

function authorityOf(issuer: X509Certificate, signingKey: webcrypto.CryptoKey, key: string): Authority {
  return {
    certificate: pem(issuer),
    key,
    async issue(request) {
      const keys = await newKeys()
      const certificate = await X509CertificateGenerator.create({
        serialNumber: newSerial(),
        subject: `CN=${request.commonName}`,
        issuer: issuer.subject,
        ...dates(request),
        signingAlgorithm: CURVE,
        publicKey: keys.publicKey,
        signingKey,
        extensions: [
          ...(request.isAuthority ? authorityExtensions() : leafExtensions(request.usages)),
          ...(request.names.length > 0 ? [new SubjectAlternativeNameExtension(request.names)] : []),
          await SubjectKeyIdentifierExtension.create(keys.publicKey),
          await AuthorityKeyIdentifierExtension.create(issuer),
        ],
      })
      return { certificate: pem(certificate), key: await exported(keys.privateKey) }
    },
  }
}

function authorityExtensions(): Extension[] {
  return [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ]
}

function leafExtensions(usages: ('server' | 'client')[] = ['server', 'client']): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(usages.map((usage) => USAGES[usage])),
  ]
}

function dates({ from, until }: { from: number; until: number }) {
  return { notBefore: new Date(from), notAfter: new Date(until) }
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
}

async function exported(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString()
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

/** Positive, as RFC 5280 section 4.1.2.2 wants it. */
function newSerial(): string {
  return `01${randomBytes(15).toString('hex')}`
}
