import type { ServiceName } from '@waybill/contracts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { keepCertificates } from '../certs/keep.ts'
import { collectionsFileOf, readCollections } from '../collections-file.ts'
import { FILEMAKER_FILE, startPlatformFileMaker } from '../filemaker/platform-filemaker.ts'
import { startPlatformLlmUpstream } from '../llm-upstream/platform-llm-upstream.ts'
import { providersFileFor, wantsVendorsAtMock } from '../llm-upstream/providers-file.ts'
import type { LlmUpstream } from '../llm-upstream/upstream.ts'
import { startPostgres } from '../postgres/start.ts'
import { startPlatformSupabase } from '../postgrest/platform-supabase.ts'
import { loadSecrets } from '../secrets.ts'
import { serviceEnvironments, type Environment } from '../service-environment.ts'
import { perService, type PerService } from '../services.ts'
import { startTraceReceiver } from '../traces/receiver.ts'
import { seedAccounts, type Account } from './accounts.ts'
import { choosePorts, type PlatformPorts } from './platform-ports.ts'
import { startServices, type Services } from './services-group.ts'

/** How long PostgREST waits for the keys of auth-service before the platform is ready without. */
const KEYS_KNOWN_MS = 5_000

export interface PlatformOptions {
  /** Ports by number; free ones for what is left out, and 4318 for traces when that is free. */
  ports?: PlatformPorts
  /** Where data and secrets stay between runs. Without it all data are gone at `close()`. */
  dataDir?: string
  /** Services behind the gateway speak TLS only, and prove to each other by certificate who they are. */
  mtls?: boolean
  /** The mock upstream takes the place of all vendors of language models; WAYBILL_VENDORS says so unless this does. */
  vendorsAtMock?: boolean
  /** Settings for the services; wins over the defaults. As a rule `process.env`. */
  env?: NodeJS.ProcessEnv
  /** What services, PostgreSQL and PostgREST print. `source` is `postgres`, `postgrest` or the service's name. */
  log?: (source: string, line: string) => void
  /** Aborts the start; startPlatform() then throws when all that had started is gone. */
  signal?: AbortSignal
}

export interface Platform {
  /** Base URL per service. */
  services: PerService<string>
  /** Where substrate-api speaks gRPC, as `host:port`. */
  grpc: string
  /** Base URL of the trace receiver and its page. */
  traces: string
  /** The mock upstream of language models, which llm-proxy knows as the providers `mock` and `mock-anthropic`. */
  llmUpstream: LlmUpstream
  accounts: Account[]
  /** What each service proves itself with at `/oauth/token`. */
  serviceSecrets: PerService<string>
  /** What `npm run keys:reencrypt` needs for its environment here; the keys and the owner's password are among it. */
  reencryption: Environment
  /** With `mtls`: the CA that is believed, and the folder of all certificates. */
  tls?: { ca: string; folder: string }
  /** Process id per service; undefined for one that is about to be started again. */
  pids: () => PerService<number | undefined>
  /** Sends a signal (SIGKILL by default) to one service; the platform starts it again about a second later. */
  kill: (service: ServiceName, signal?: NodeJS.Signals) => void
  /** Stops everything, services first; resolves when no process is left. */
  close: () => Promise<void>
}

/**
 * The whole platform on 127.0.0.1: PostgreSQL, trace receiver, the seven services as processes of their own, and two
 * accounts; resolves when every `/readyz` answers 200. Throws when a port asked for is taken (PortTakenError names it
 * and its variable) or a service does not start (the error holds its last lines); nothing is left running then.
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const { env = process.env, log = () => undefined } = options
  const cleanups: (() => void | Promise<void>)[] = []
  // Last opened, first closed: the services go before the database that they use.
  const close = async () => {
    for (let next = cleanups.pop(); next; next = cleanups.pop()) await next()
  }
  try {
    const collections = readCollections(collectionsFileOf(env))
    const { vendorsAtMock = wantsVendorsAtMock(env) } = options
    const kept = options.dataDir === undefined ? undefined : resolve(options.dataDir)
    const dataDir = kept ?? mkdtempSync(join(tmpdir(), 'waybill-platform-'))
    if (kept === undefined) cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }))
    const ports = await choosePorts(options.ports ?? {})
    const secrets = loadSecrets(kept)
    const postgres = await startPostgres({
      ...(kept === undefined ? {} : { dataDir: join(kept, 'postgres') }),
      ...(ports.postgres === undefined ? {} : { port: ports.postgres }),
      passwordOf: secrets.databasePassword,
      log: (line) => {
        log('postgres', line)
      },
    })
    cleanups.push(postgres.close)
    const supabase = await startPlatformSupabase({
      ...{ adminUrl: postgres.adminUrl, secrets, collections, port: ports.postgrest },
      log: (line) => {
        log('postgrest', line)
      },
    })
    if (supabase) cleanups.push(supabase.close)
    const fileMaker = await startPlatformFileMaker({
      ...{ secrets, collections, port: ports.filemaker },
      ...(kept !== undefined && { file: join(kept, FILEMAKER_FILE) }),
    })
    cleanups.push(fileMaker.close)
    const llmUpstream = await startPlatformLlmUpstream(ports.llmUpstream)
    cleanups.push(llmUpstream.close)
    const receiver = await startTraceReceiver(
      ports.traces === undefined ? { preferPort: 4318 } : { port: ports.traces },
    )
    cleanups.push(receiver.close)

    const certificates = options.mtls ? await keepCertificates(join(dataDir, 'certs')) : undefined
    if (certificates) cleanups.push(certificates.close)
    const tls = certificates?.files
    const urls = perService((service) => {
      const scheme = tls && service !== 'gateway' ? 'https' : 'http'
      return `${scheme}://127.0.0.1:${ports.services[service]}`
    })
    const environments = serviceEnvironments(
      {
        urls,
        postgres,
        secrets,
        traces: receiver.url,
        dataDir,
        relaxedLimits: true,
        tls,
        grpcPort: ports.grpc,
        supabaseUrl: supabase?.url,
        fileMakerUrl: fileMaker.url,
        providers: {
          file: providersFileFor(env, dataDir, llmUpstream.url),
          ...(vendorsAtMock && { vendorsAt: llmUpstream.url }),
        },
      },
      env,
    )
    const services: Services = startServices(environments, log)
    cleanups.push(services.close)
    const credentials = tls && { bundle: tls.bundle, own: tls.services.data_store }
    const keys = supabase?.believe(urls['auth-service'], credentials)
    if (keys) cleanups.push(keys.close)
    await services.ready(urls, { ...(options.signal && { signal: options.signal }), ...(tls && { tls }) })
    // auth-service is there, so this takes no time; should it publish nothing, the rest of the platform is still of use.
    await Promise.race([keys?.known, delay(KEYS_KNOWN_MS, undefined, { ref: false })])
    options.signal?.throwIfAborted()
    const accounts = await seedAccounts(urls.gateway, secrets)
    return {
      services: urls,
      grpc: `127.0.0.1:${ports.grpc}`,
      traces: receiver.url,
      llmUpstream,
      accounts,
      serviceSecrets: perService(secrets.serviceSecret),
      reencryption: reencryptionOf(environments['llm-proxy']),
      ...(tls && { tls: { ca: tls.bundle, folder: tls.folder } }),
      pids: services.pids,
      kill: services.kill,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** The part of llm-proxy's environment that says where provider keys are, and what they are sealed with. */
function reencryptionOf(environment: Environment): Environment {
  const read = /^(PROVIDER_KEY_ENCRYPTION_KEYS|DATABASE_MIGRATION_URL|KEY_STORE|SUPABASE_.*)$/
  return Object.fromEntries(Object.entries(environment).filter(([name]) => read.test(name)))
}
