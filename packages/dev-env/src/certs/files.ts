import type { ServiceName } from '@waybill/contracts'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { perService, type PerService } from '../services.ts'
import type { Certified } from './authority.ts'

/** Where a certificate and its key lie. */
export interface CertifiedFiles {
  certificate: string
  key: string
}

export interface CertificateFiles {
  folder: string
  /** The CAs that everybody believes: what TLS_CA_FILE names. */
  bundle: string
  /** The CA that signs; its key is for whoever makes certificates and for no service. */
  authority: CertifiedFiles
  services: PerService<CertifiedFiles>
}

export function certificateFiles(folder: string): CertificateFiles {
  const pair = (name: string): CertifiedFiles => ({
    certificate: join(folder, name, 'tls.crt'),
    key: join(folder, name, 'tls.key'),
  })
  return {
    folder,
    bundle: join(folder, 'ca.crt'),
    authority: pair('authority'),
    services: perService((service: ServiceName) => pair(service)),
  }
}

/** Undefined when one of the files is not there. */
export function readCertified(files: CertifiedFiles): Certified | undefined {
  const certificate = readText(files.certificate)
  const key = readText(files.key)
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The key first: whoever watches then finds the certificate's own key as soon as the certificate is there. */
export function writeCertified(files: CertifiedFiles, { certificate, key }: Certified): void {
  writeWhole(files.key, key, 0o600)
  writeWhole(files.certificate, certificate)
}

/** A reader sees the old file or the new one, never a part. */
export function writeWhole(file: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(draft, text, { mode, flag: 'wx' })
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}
