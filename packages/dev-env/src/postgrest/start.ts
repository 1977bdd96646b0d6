import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, portIsFree, PortTakenError } from '../ports.ts'
import { NoPostgrestError, postgrestBinary } from './binary.ts'
import { keepRunning } from './keep-running.ts'
import { PostgrestStartError, spawnServer, startServer, stopServer } from './server.ts'
import type { Server, ServerOptions } from './server.ts'

/** A JSON Web Key Set (RFC 7517): public keys, and secret ones (`kty` `oct`) where a test signs with those. */
export interface Jwks {
  keys: readonly object[]
}

export interface PostgrestOptions {
  /** The connection string of the role that becomes another per request (`authenticator`). */
  databaseUrl: string
  /** Whose tokens are believed. */
  jwks: Jwks
  /** The `aud` that a token must have. */
  audience: string
  /** The schema that is served; `public` unless said. */
  schema?: string
  /** The role of requests without a token; `anon` unless said. */
  anonymousRole?: string
  /** A port of 127.0.0.1; without it any free one. */
  port?: number
  /** The most rows of one answer; without it as many as there are. */
  maxRows?: number
  /** Starts it again, on the same port, when it ends by itself. */
  restart?: boolean
  /** What PostgREST prints, a line at a time. */
  log?: (line: string) => void
}

export interface Postgrest {
  url: string
  port: number
  /** 0 while it is about to be started again. */
  readonly pid: number
  /** Believes tokens of these keys from now on, and of no others. */
  setKeys: (jwks: Jwks) => void
  /** Reads anew what there is in the schema, as `notify pgrst` does. */
  reloadSchema: () => void
  close: () => Promise<void>
}

/** How often another process may take a free port between our finding it and PostgREST's binding it. */
const PORT_ATTEMPTS = 5

/**
 * A real PostgREST on 127.0.0.1, ready to answer. It ends with this process, however that ends. Throws NoPostgrestError
 * where the platform has none, PortTakenError when the port asked for is taken, PostgrestStartError when it does not come up.
 */
export async function startPostgrest(options: PostgrestOptions): Promise<Postgrest> {
  const binary = postgrestBinary()
  if (binary === undefined) throw new NoPostgrestError()
  if (options.port !== undefined && !(await portIsFree(options.port))) {
    throw new PortTakenError(options.port, 'PostgREST', 'POSTGREST_PORT')
  }
  const folder = mkdtempSync(join(tmpdir(), 'waybill-postgrest-'))
  const keysFile = join(folder, 'jwks.json')
  const discard = () => {
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    writeKeys(keysFile, options.jwks)
    const { server, port, as } = await startOnPort(binary, options, folder, keysFile)
    const running = options.restart
      ? keepRunning(server, () => spawnServer(as), options.log ?? (() => undefined))
      : { pid: () => server.pid, kill: server.kill, close: () => stopServer(server) }
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      get pid() {
        return running.pid() ?? 0
      },
      setKeys: (jwks) => {
        writeKeys(keysFile, jwks)
        running.kill('SIGUSR2')
      },
      reloadSchema: () => {
        running.kill('SIGUSR1')
      },
      async close() {
        await running.close()
        discard()
      },
    }
  } catch (error) {
    discard()
    throw error
  }
}

async function startOnPort(
  binary: string,
  options: PostgrestOptions,
  folder: string,
  keysFile: string,
): Promise<{ server: Server; port: number; as: ServerOptions }> {
  for (let attempt = 1; ; attempt += 1) {
    const free = await freePorts(2, options.port === undefined ? [] : [options.port])
    const [port = 0, adminPort = 0] = options.port === undefined ? free : [options.port, ...free]
    const env = settings(options, port, adminPort, keysFile)
    const as = { binary, env, adminPort, folder, log: options.log }
    try {
      return { port, as, server: await startServer(as) }
    } catch (error) {
      const lostRace = error instanceof PostgrestStartError && /address.* in use/i.test(error.message)
      if (!lostRace || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

function settings(options: PostgrestOptions, port: number, adminPort: number, keysFile: string) {
  return {
    PGRST_DB_URI: options.databaseUrl,
    PGRST_DB_SCHEMAS: options.schema ?? 'public',
    PGRST_DB_ANON_ROLE: options.anonymousRole ?? 'anon',
    PGRST_DB_POOL: '10',
    PGRST_JWT_SECRET: `@${keysFile}`,
    PGRST_JWT_AUD: options.audience,
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
    PGRST_ADMIN_SERVER_PORT: String(adminPort),
    PGRST_LOG_LEVEL: 'error',
    PGRST_OPENAPI_MODE: 'disabled',
    ...(options.maxRows !== undefined && { PGRST_DB_MAX_ROWS: String(options.maxRows) }),
  }
}

/** Whole or not at all: it may be read at any moment. */
function writeKeys(file: string, jwks: Jwks): void {
  const draft = `${file}.new`
  writeFileSync(draft, JSON.stringify(jwks), { mode: 0o600 })
  chmodSync(draft, 0o600)
  renameSync(draft, file)
}
