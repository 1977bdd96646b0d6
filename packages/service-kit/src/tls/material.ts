import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '../config.ts'
import { Secret } from '../secret.ts'
import type { TlsConfig } from './tls-env.ts'

/** The CA certificates that are believed at the moment. A new bundle is a new object, so identity tells them apart. */
export interface TrustBundle {
  certificates: readonly X509Certificate[]
}

/** What a service shows and whom it believes, read and found to fit together. */
export interface TlsMaterial {
  /** The certificate chain in PEM, leaf first. */
  certificate: string
  key: Secret
  /** When the leaf expires, in milliseconds since the epoch. */
  validUntil: number
  /** In PEM; undefined without TLS_CA_FILE. */
  authorities: string | undefined
  trust: TrustBundle
}

type FileVariable = 'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CA_FILE'
type Files = Pick<TlsConfig, FileVariable>

/** Reads the files of TLS. @throws ConfigError naming the variable of the file that is missing or wrong */
export function readMaterial(files: Files): TlsMaterial {
  const certificate = read(files, 'TLS_CERT_FILE')
  const keyText = read(files, 'TLS_KEY_FILE')
  const authorities = files.TLS_CA_FILE === '' ? undefined : read(files, 'TLS_CA_FILE')
  const [leaf] = certificatesIn(certificate, 'TLS_CERT_FILE')
  const certificates = authorities === undefined ? [] : certificatesIn(authorities, 'TLS_CA_FILE')
  if (certificates.some(({ ca }) => !ca)) throw wrong('TLS_CA_FILE', 'holds a certificate that is no CA')
  const key = attempt('TLS_KEY_FILE', 'holds no private key', () => createPrivateKey(keyText))
  if (!leaf?.checkPrivateKey(key)) throw wrong('TLS_KEY_FILE', 'is not the key of TLS_CERT_FILE')
  attempt('TLS_CERT_FILE', 'cannot be used for TLS', () =>
    createSecureContext({ cert: certificate, key: keyText, ca: authorities }),
  )
  return {
    certificate,
    key: new Secret(keyText),
    validUntil: leaf.validToDate.getTime(),
    authorities,
    trust: { certificates },
  }
}

function read(files: Files, variable: FileVariable): string {
  return attempt(variable, 'cannot be read', () => readFileSync(files[variable], 'utf8'))
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function certificatesIn(pem: string, variable: FileVariable): X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? []
  if (blocks.length === 0) throw wrong(variable, 'holds no certificate')
  return attempt(variable, 'holds a damaged certificate', () =>
    blocks.map((block) => new X509Certificate(block)),
  )
}

/** OpenSSL's words may quote the file, so its code is all that is told. */
function attempt<T>(variable: FileVariable, message: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw wrong(variable, code === undefined ? message : `${message} (${code})`)
  }
}

function wrong(variable: FileVariable, message: string): ConfigError {
  return new ConfigError([{ variable, message }])
}
