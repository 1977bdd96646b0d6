import { createServer as createPlain } from 'node:http'
import type { ServerResponse } from 'node:http'
import { createServer as createSecure } from 'node:https'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTestPostgres } from '@waybill/dev-env'
import { createTestIssuer, openCertificates } from '@waybill/dev-env/testing'
import type { Issuer } from '@waybill/auth'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import type { z } from 'zod'
import type { Target } from '../load.ts'
import { BODY, reportTo } from '../serve-variant.ts'

// node servers/mtls.ts <variant>: work-platform as it is (token, validation, log line, spans, one read in Postgres under
// row-level security), or a bare server of node, each over plain HTTP and over mutual TLS.

const variant = process.argv[2] ?? ''
const secure = variant.includes('mutual TLS')
const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-'))
const certificates = openCertificates({ folder })
await certificates.ensure()
const { bundle, services } = certificates.files
const read = (file: string): string => readFileSync(file, 'utf8')
const filesOf = ({ certificate, key }: { certificate: string; key: string }) => ({
  cert: read(certificate),
  key: read(key),
  ca: read(bundle),
})

/** The gateway's side of the connection. */
const client: Pick<Target, 'tls'> = secure
  ? { tls: { ...filesOf(services.gateway), checkServerIdentity: () => undefined } }
  : {}

if (variant.startsWith('bare')) {
  const body = JSON.stringify(BODY)
  const answer = (_req: unknown, res: ServerResponse): void => {
    res.setHeader('Content-Type', 'application/json').setHeader('Content-Length', body.length).end(body)
  }
  const server = secure
    ? createSecure({ ...filesOf(services['work-platform']), requestCert: true }, answer)
    : createPlain(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on a port, not on a pipe
  reportTo({ port, path: '/', headers: {}, ...client })
} else {
  const [postgres, issuer] = await Promise.all([startTestPostgres('work-platform'), createTestIssuer()])
  const source = (file: string): string =>
    new URL(`../../../../apps/work-platform/src/${file}`, import.meta.url).href
  // Apps export nothing to packages; these two modules have the same shape in each of them.
  const { configSchema } = (await import(source('config.ts'))) as { configSchema: z.ZodObject }
  const { createApp } = (await import(source('app.ts'))) as {
    createApp: (config: unknown, overrides: { issuer: Issuer }) => Service
  }
  const config = loadConfig(configSchema, {
    SERVICE_SECRET: 'for a benchmark',
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    ...(secure && {
      TLS_CERT_FILE: services['work-platform'].certificate,
      TLS_KEY_FILE: services['work-platform'].key,
      TLS_CA_FILE: bundle,
      TLS_CLIENT_AUTH: 'required',
    }),
  })
  const service = createApp(config, { issuer: issuer.issuer })
  await service.start()
  const { port } = await service.listen({ port: 0 })
  const token = await issuer.userToken('bench', { actors: ['gateway'], lifetimeSeconds: 3600 })
  reportTo({ port, path: '/api/workspaces', headers: { Authorization: `Bearer ${token}` }, ...client })
  process.once('SIGTERM', () => {
    rmSync(folder, { recursive: true, force: true })
    void service
      .close()
      .then(() => postgres.close())
      .then(() => process.exit(0))
  })
}
