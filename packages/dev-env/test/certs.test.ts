import { SERVICES } from '@waybill/contracts'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCertificates } from '../src/certs/certificates.ts'
import { loadSecrets } from '../src/secrets.ts'
import { serviceEnvironments } from '../src/service-environment.ts'
import { perService } from '../src/services.ts'

const HOUR_MS = 3_600_000

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-certs-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const read = (file: string): string => readFileSync(file, 'utf8')
const leafOf = (service: (typeof SERVICES)[number]): X509Certificate =>
  new X509Certificate(read(openCertificates({ folder }).files.services[service].certificate))

describe('npm run certs makes', () => {
  it('a certificate per service with one SPIFFE id, its names, and a life of a day', async () => {
    const certificates = openCertificates({ folder })
    expect(await certificates.ensure()).toEqual(SERVICES)
    const authority = new X509Certificate(read(certificates.files.bundle))
    expect(authority.ca).toBe(true)
    for (const service of SERVICES) {
      const leaf = leafOf(service)
      expect(leaf.subjectAltName).toBe(
        `URI:spiffe://waybill.local/svc/${service}, DNS:${service}, DNS:localhost, IP Address:127.0.0.1`,
      )
      expect(leaf.ca).toBe(false)
      expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
      expect(leaf.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' })
      expect(leaf.checkIssued(authority) && leaf.verify(authority.publicKey)).toBe(true)
      const lifeMs = leaf.validToDate.getTime() - Date.now()
      expect(lifeMs).toBeGreaterThan(23.9 * HOUR_MS)
      expect(lifeMs).toBeLessThanOrEqual(24 * HOUR_MS)
    }
  })

  it('keys that only their owner may read, and nothing half-written beside them', async () => {
    const { files, ensure } = openCertificates({ folder })
    await ensure()
    for (const { key } of [files.authority, ...Object.values(files.services)]) {
      expect(statSync(key).mode & 0o777).toBe(0o600)
    }
    for (const service of SERVICES) {
      expect(readdirSync(join(folder, service)).sort()).toEqual(['tls.crt', 'tls.key'])
    }
  })
})

describe('what is there already', () => {
  it('is kept as it is', async () => {
    await openCertificates({ folder }).ensure()
    const before = SERVICES.map((service) => leafOf(service).serialNumber)
    expect(await openCertificates({ folder }).ensure()).toEqual([])
    expect(SERVICES.map((service) => leafOf(service).serialNumber)).toEqual(before)
  })

  it('is renewed in the last third of its life, by the same CA', async () => {
    const { files, ensure } = openCertificates({ folder })
    await ensure()
    const bundle = read(files.bundle)
    const later = openCertificates({ folder, now: () => Date.now() + 15 * HOUR_MS })
    expect(await later.ensure()).toEqual([])
    const latest = openCertificates({ folder, now: () => Date.now() + 17 * HOUR_MS })
    expect(await latest.ensure()).toEqual(SERVICES)
    expect(read(files.bundle)).toBe(bundle)
  })

  it('is made anew where it is damaged, of another service, or of another trust domain', async () => {
    const { files, ensure } = openCertificates({ folder })
    await ensure()
    writeFileSync(files.services.docling.certificate, 'nonsense')
    writeFileSync(files.services.gateway.certificate, read(files.services.data_store.certificate))
    writeFileSync(files.services.gateway.key, read(files.services.data_store.key))
    rmSync(files.services['llm-proxy'].key)
    expect(await ensure()).toEqual(['gateway', 'llm-proxy', 'docling'])
    expect(await openCertificates({ folder, trustDomain: 'elsewhere.test' }).ensure()).toEqual(SERVICES)
  })

  it('a CA in its last month is replaced, and believed beside the new one until it is retired', async () => {
    const { files, ensure } = openCertificates({ folder })
    await ensure()
    const old = read(files.bundle)
    const later = openCertificates({ folder, now: () => Date.now() + 340 * 24 * HOUR_MS })
    expect(await later.ensure()).toEqual(SERVICES)
    expect(read(files.bundle)).toContain(old)
    await later.retireAuthorities()
    expect(read(files.bundle)).not.toContain(old)
  })
})

describe('TLS in the environment of a service', () => {
  const wiring = {
    urls: perService(() => 'https://127.0.0.1:4000'),
    postgres: { url: () => 'postgres://db', migrationUrl: () => 'postgres://db' },
    traces: 'http://127.0.0.1:4318',
    dataDir: '/data',
  }

  it('is its own certificate, required of callers save where people come in', () => {
    const { files } = openCertificates({ folder })
    const secrets = loadSecrets(folder)
    const environments = serviceEnvironments({ ...wiring, secrets, tls: files }, {})
    const modes = SERVICES.map((service) => environments[service].TLS_CLIENT_AUTH ?? 'in clear')
    expect(modes).toEqual(
      SERVICES.map((service) => {
        if (service === 'gateway') return 'in clear'
        return ['auth-service', 'work-platform'].includes(service) ? 'optional' : 'required'
      }),
    )
    expect(environments.gateway.TLS_LISTEN).toBe('false')
    expect(environments.docling.TLS_KEY_FILE).toBe(files.services.docling.key)
  })

  it('is never inherited: one certificate would stand for all', () => {
    const secrets = loadSecrets(folder)
    const inherited = { TLS_CERT_FILE: '/a', TLS_KEY_FILE: '/b', TLS_CLIENT_AUTH: 'required' }
    const { docling } = serviceEnvironments({ ...wiring, secrets }, inherited)
    expect(Object.keys(docling).filter((name) => name.startsWith('TLS_'))).toEqual([])
  })
})
