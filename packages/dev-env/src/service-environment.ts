import { SERVICES, type ServiceName } from '@waybill/contracts'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { TRUST_DOMAIN } from './certs/certificates.ts'
import type { CertificateFiles } from './certs/files.ts'
import { collectionsFileOf } from './collections-file.ts'
import { fileMakerSettings } from './filemaker/platform-filemaker.ts'
import { stateFolder } from './folders.ts'
import { pathsFor, vendorsAt } from './llm-upstream/providers-file.ts'
import { DATABASE_SERVICES } from './postgres/start.ts'
import { PUBLISHABLE_KEY, serviceRoleKey } from './postgrest/keys.ts'
import type { Secrets } from './secrets.ts'
import { perService, urlVariable, type PerService } from './services.ts'

export type Environment = Record<string, string>

export interface Wiring {
  /** Where each service is, e.g. `http://127.0.0.1:8080`. */
  urls: PerService<string>
  /** Connection strings per service; see startPostgres. */
  postgres: { url: (service: string) => string; migrationUrl: (service: string) => string }
  secrets: Secrets
  /** Where the trace receiver is. */
  traces: string
  /** Folder of files that services keep (LanceDB). */
  dataDir: string
  /** Raises the limits on login and registration, which tests and demos would run into within seconds. */
  relaxedLimits?: boolean
  /** Where substrate-api speaks gRPC; its usual port unless said. */
  grpcPort?: number | undefined
  /** Where PostgREST is, for the backend `supabase` of data_store and KEY_STORE=supabase of llm-proxy; without, it is not configured. */
  supabaseUrl?: string | undefined
  /** Where FileMaker's Data API is, for the backend `filemaker`; without, it is not configured. */
  fileMakerUrl?: string | undefined
  /** What llm-proxy is told of further providers, and with `vendorsAt` where those that it knows are; see providersFileFor. */
  providers?: { file: string; vendorsAt?: string | undefined } | undefined
  /** Services prove to each other who they are by these certificates; without, they speak plain HTTP. */
  tls?: CertificateFiles | undefined
}

/** Named like a place on no network: tokens stay valid when ports change. */
const ISSUER = 'https://waybill.local'

const DEFAULTS: Environment = {
  NODE_ENV: 'development',
  LOG_LEVEL: 'info',
  AUTH_ISSUER: ISSUER,
  TRUSTED_PROXIES: '127.0.0.1/32,::1/128',
  SHUTDOWN_TIMEOUT_MS: '5000',
  // Spans leave within a fifth of a second instead of five, so that a page opened after a request shows it.
  OTEL_BSP_SCHEDULE_DELAY: '200',
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
}

/** The account that auth-service makes when it has no administrator. */
export const ADMIN = 'admin'

const RELAXED: Environment = {
  LOGIN_LIMIT_PER_MINUTE: '10000',
  REGISTRATION_LIMIT_PER_HOUR: '10000',
  API_CALLS_PER_MINUTE: 'free=100000,standard=100000,premium=100000',
  API_KEY_CALLS_PER_MINUTE: 'free=100000,standard=100000,premium=100000',
  ANONYMOUS_CALLS_PER_MINUTE: '100000',
  LLM_REQUESTS_PER_MINUTE: 'free=100000,standard=100000,premium=100000',
  LLM_CONCURRENT_REQUESTS: 'free=1000,standard=1000,premium=1000',
  API_KEY_LLM_REQUESTS_PER_MINUTE: 'free=100000,standard=100000,premium=100000',
  API_KEY_LLM_CONCURRENT_REQUESTS: 'free=1000,standard=1000,premium=1000',
}

/** What belongs to one process, or would connect services to the wrong neighbour: never inherited by all of them. */
const NEVER_INHERITED = new RegExp(
  '^(PORT|AUTH_PORT|HOST|GRPC_PORT|GRPC_HOST|SERVICE_SECRET|SERVICE_CLIENTS|SIGNING_KEY_ENCRYPTION_KEY|PROVIDER_KEY_ENCRYPTION_KEYS|BOOTSTRAP_ADMIN_.*|DATABASE_(MIGRATION_)?URL' +
    '|TLS_.*|SUPABASE_(?!MAX_).*' +
    '|FILEMAKER_(URL|DATABASE|USERNAME|PASSWORD)' +
    '|OTEL_SERVICE_NAME|OTEL_EXPORTER_OTLP_TRACES_ENDPOINT|INIT_CWD|npm_.*)$',
)

/**
 * The environment of each service: how it is wired to the others, and the defaults of development. `inherited` (the
 * user's own, as a rule process.env) is passed on, and wins over the defaults but not over the wiring.
 */
export function serviceEnvironments(wiring: Wiring, inherited: NodeJS.ProcessEnv): PerService<Environment> {
  const passedOn = Object.entries(inherited).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !NEVER_INHERITED.test(entry[0]),
  )
  return perService((service) => ({
    ...DEFAULTS,
    // Seven services that start at once are a third quicker when what was compiled last time is still there.
    NODE_COMPILE_CACHE: join(stateFolder(), 'compile-cache'),
    ...(wiring.relaxedLimits ? RELAXED : {}),
    ...(service === 'llm-proxy' && wiring.providers?.vendorsAt !== undefined
      ? { PROVIDER_URLS: vendorsAt(wiring.providers.vendorsAt) }
      : {}),
    ...(service === 'gateway' && wiring.providers ? { LLM_PROVIDERS: pathsFor(wiring.providers.file) } : {}),
    ...Object.fromEntries(passedOn),
    // The user's own file, if one is named; its path is made whole.
    ...(service === 'data_store' && { COLLECTIONS_FILE: collectionsFileOf(inherited) }),
    ...(service === 'llm-proxy' && wiring.providers ? { PROVIDERS_FILE: wiring.providers.file } : {}),
    ...(service === 'llm-proxy' && keyEncryptionKeys(wiring.secrets, inherited)),
    ...wired(service, wiring),
  }))
}

/** The user's own, so that they can be rotated, for the one service that may know them. */
function keyEncryptionKeys(secrets: Secrets, inherited: NodeJS.ProcessEnv): Environment {
  const { PROVIDER_KEY_ENCRYPTION_KEYS: own = '' } = inherited
  const made = `v1:${secrets.providerKeyEncryptionKey}`
  return { PROVIDER_KEY_ENCRYPTION_KEYS: own.trim() === '' ? made : own }
}

function wired(service: ServiceName, wiring: Wiring): Environment {
  const { urls, postgres, secrets, traces, dataDir, tls, grpcPort, supabaseUrl, fileMakerUrl } = wiring
  const { hostname, port } = new URL(urls[service])
  return {
    HOST: hostname,
    PORT: port,
    OTEL_SERVICE_NAME: service,
    OTEL_EXPORTER_OTLP_ENDPOINT: traces,
    SERVICE_SECRET: secrets.serviceSecret(service),
    ...(tls ? tlsSettings(service, tls) : {}),
    ...Object.fromEntries(SERVICES.map((name) => [urlVariable(name), urls[name]])),
    ...(hasDatabase(service)
      ? { DATABASE_URL: postgres.url(service), DATABASE_MIGRATION_URL: postgres.migrationUrl(service) }
      : {}),
    ...(service === 'substrate-api' ? grpcSettings(hostname, grpcPort) : {}),
    ...(service === 'data_store' ? { LANCEDB_PATH: join(dataDir, 'lancedb') } : {}),
    ...((service === 'data_store' || service === 'llm-proxy') && supabaseUrl !== undefined
      ? supabaseSettings(supabaseUrl, secrets)
      : {}),
    ...(service === 'data_store' && fileMakerUrl !== undefined
      ? fileMakerSettings(fileMakerUrl, secrets)
      : {}),
    ...(service === 'auth-service'
      ? {
          SERVICE_CLIENTS: serviceClients(secrets),
          SIGNING_KEY_ENCRYPTION_KEY: secrets.signingKeyEncryptionKey,
          BOOTSTRAP_ADMIN_USERNAME: ADMIN,
          BOOTSTRAP_ADMIN_EMAIL: `${ADMIN}@example.test`,
          BOOTSTRAP_ADMIN_PASSWORD: secrets.accountPassword(ADMIN),
        }
      : {}),
  }
}

/** Whom people may reach without the gateway; they have no certificates. */
const FOR_PEOPLE: readonly ServiceName[] = ['auth-service', 'work-platform']

/** The gateway speaks plain HTTP to clients, and shows its certificate to services only. */
function tlsSettings(service: ServiceName, { bundle, services }: CertificateFiles): Environment {
  const { certificate, key } = services[service]
  return {
    TLS_CERT_FILE: certificate,
    TLS_KEY_FILE: key,
    TLS_CA_FILE: bundle,
    SPIFFE_TRUST_DOMAIN: TRUST_DOMAIN,
    ...(service === 'gateway'
      ? { TLS_LISTEN: 'false' }
      : { TLS_CLIENT_AUTH: FOR_PEOPLE.includes(service) ? 'optional' : 'required' }),
    // API keys come without a certificate.
    ...(service === 'substrate-api' && { GRPC_TLS_CLIENT_AUTH: 'optional' }),
  }
}

/** PostgREST itself: no gateway stands before it, which would ask for the publishable key. */
function supabaseSettings(url: string, secrets: Secrets): Environment {
  return {
    SUPABASE_URL: url,
    SUPABASE_REST_PATH: '/',
    SUPABASE_PUBLISHABLE_KEY: PUBLISHABLE_KEY,
    SUPABASE_SECRET_KEY: serviceRoleKey(secrets.supabaseSecret),
  }
}

function grpcSettings(host: string, port: number | undefined): Environment {
  return { GRPC_HOST: host, ...(port === undefined ? {} : { GRPC_PORT: String(port) }) }
}

/** auth-service knows who the others are by the hash of their secret only. */
function serviceClients(secrets: Secrets): string {
  const hashOf = (service: string) =>
    createHash('sha256').update(secrets.serviceSecret(service)).digest('hex')
  return JSON.stringify(perService(hashOf))
}

function hasDatabase(service: string): boolean {
  return DATABASE_SERVICES.some((name) => name === service)
}
