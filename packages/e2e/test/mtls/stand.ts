import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { ConnectionOptions, SecureVersion, TLSSocket } from 'node:tls'
import { authEnv, createServiceAuth, open, service as serviceGuard } from '@waybill/auth'
import type { ServiceName } from '@waybill/contracts'
import { createTestIssuer, loadAuthority, openCertificates, readCertified } from '@waybill/dev-env/testing'
import type { Authority, CertificateRequest, Certified, TestIssuer } from '@waybill/dev-env/testing'
import { callingService, createLogger, createService, openTls, route, serviceEnv } from '@waybill/service-kit'
import type { Route, Service, Tls } from '@waybill/service-kit'
import { z } from 'zod'

const HOUR_MS = 3_600_000

/** A folder of certificates that goes with the test. */
export function certificateFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-mtls-'))
  const certificates = openCertificates({ folder })
  return {
    certificates,
    folder,
    authority: async (): Promise<Authority> => loadAuthority(readCertified(certificates.files.authority)!),
    of: (name: ServiceName): Certified => readCertified(certificates.files.services[name])!,
    [Symbol.dispose]: () => {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export type CertificateFolder = ReturnType<typeof certificateFolder>

/** What a good certificate of `name` asks for, to be spoiled by a test. */
export function request(name: string, change: Partial<CertificateRequest> = {}): CertificateRequest {
  return {
    commonName: name,
    names: [{ type: 'url', value: `spiffe://waybill.local/svc/${name}` }],
    from: Date.now() - HOUR_MS,
    until: Date.now() + HOUR_MS,
    ...change,
  }
}

const schema = z.object({ ...serviceEnv({ port: 0 }), ...authEnv })

/** The TLS variables of a service whose certificates lie in `folder`. */
export function tlsVariables(folder: CertificateFolder, name: ServiceName): Record<string, string> {
  const { bundle, services } = folder.certificates.files
  return {
    TLS_CERT_FILE: services[name].certificate,
    TLS_KEY_FILE: services[name].key,
    TLS_CA_FILE: bundle,
  }
}

export interface MtlsStand extends AsyncDisposable {
  service: Service
  url: string
  port: number
  tls: Tls
  issuer: TestIssuer
}

export interface StandOptions {
  name?: ServiceName
  variables?: Record<string, string>
  routes?: readonly Route[]
  now?: () => number
  issuer?: TestIssuer
}

const ROUTES = [
  route('GET', '/who', {
    summary: 'Who calls',
    auth: serviceGuard('gateway', 'docling', 'llm-proxy'),
    output: z.object({ who: z.string(), via: z.string() }),
    handle: ({ principal }) => ({ who: callingService(principal) ?? '', via: principal.via }),
  }),
  route('GET', '/open', { summary: 'Anybody', auth: open('a test'), handle: () => ({}) }),
]

/** A service with real listener, certificates and authentication; data_store unless said. */
export async function mtlsStand(folder: CertificateFolder, options: StandOptions = {}): Promise<MtlsStand> {
  const {
    name = 'data_store',
    variables = {},
    routes = ROUTES,
    now,
    issuer = await createTestIssuer(),
  } = options
  const config = schema.parse({ ...tlsVariables(folder, name), TLS_RELOAD_INTERVAL_MS: '50', ...variables })
  const logger = createLogger({ service: name, level: 'silent' })
  const tls = openTls({ service: name, config, logger })!
  const auth = createServiceAuth({
    config,
    issuer: issuer.issuer,
    audiences: [name],
    tls,
    ...(now && { now }),
  })
  const service = createService({ name, config, auth, routes, logger, tls })
  const { url, port } = await service.listen({ port: 0 })
  await service.start()
  return { service, url, port, tls, issuer, [Symbol.asyncDispose]: () => service.close() }
}

/** Resolves when `tls` has taken up new files; to be asked for before they are written. */
export function swapped(tls: Tls): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = tls.onSwap(() => {
      unsubscribe()
      resolve()
    })
  })
}

export interface Attempt {
  /** Of the answer; undefined when the connection ended without any. */
  status: number | undefined
  body: string
  isReused: boolean
  /** What could be resumed later. */
  session: Buffer | undefined
}

export interface Dial {
  port: number
  version: SecureVersion
  certified?: Certified | undefined
  session?: Buffer | undefined
  path?: string
  headers?: Record<string, string>
}

/** A connection that a test asks through, one request at a time. */
export interface DialedLine {
  ask(path?: string, headers?: Record<string, string>): Promise<Attempt>
  end(): void
}

/** Connects as told, whoever is at the other end, and gives back how to ask. */
export async function dial({ port, version, certified, session }: Dial): Promise<DialedLine> {
  const options: ConnectionOptions = {
    ...{ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, maxVersion: version },
    ...(certified && { cert: certified.certificate, key: certified.key }),
    ...(session && { session }),
    // The client too would otherwise refuse to speak what is old.
    ...(version === 'TLSv1.1' && { ciphers: 'DEFAULT@SECLEVEL=0' }),
  }
  let kept: Buffer | undefined
  let isReused = false
  let text = ''
  let onMore: () => void = () => undefined
  const socket: TLSSocket = connect(options)
  socket.on('session', (offered: Buffer) => (kept = offered))
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    onMore()
  })
  socket.once('close', () => {
    onMore()
  })
  await new Promise<void>((resolve) => {
    socket.once('secureConnect', () => {
      isReused = socket.isSessionReused()
      kept ??= socket.getSession()
      resolve()
    })
    socket.once('close', () => {
      resolve()
    })
  })
  return {
    async ask(path = '/who', headers = {}) {
      text = ''
      const lines = Object.entries({ Host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}`)
      if (!socket.destroyed) socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      await new Promise<void>((resolve) => {
        onMore = () => {
          if (isWhole(text) || socket.destroyed) resolve()
        }
        onMore()
      })
      const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1]
      const body = text.slice(text.indexOf('\r\n\r\n') + 4)
      return { status: status === undefined ? undefined : Number(status), body, isReused, session: kept }
    },
    end: () => void socket.destroy(),
  }
}

function isWhole(text: string): boolean {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  return length !== undefined && rest.join('\r\n\r\n').length >= Number(length)
}

/** One connection, one request. */
export async function attempt(options: Dial): Promise<Attempt> {
  const line = await dial(options)
  try {
    return await line.ask(options.path, options.headers)
  } finally {
    line.end()
  }
}
