import { AsyncLocalStorage } from 'node:async_hooks'
import { signAccessToken } from '@waybill/auth'
import { startTestSupabase } from '@waybill/dev-env'
import type { TestSupabase } from '@waybill/dev-env'
import { createHttpClient, supabaseOutside } from '@waybill/http-client'
import { createLogger, Secret } from '@waybill/service-kit'
import pg from 'pg'
import { createAudited } from '../src/keys/audited.ts'
import type { KeyStore } from '../src/keys/key-store.ts'
import type { SealedRows } from '../src/keys/reencrypt.ts'
import { postgresSealedRows } from '../src/keys/sealed-rows-postgres.ts'
import { supabaseSealedRows } from '../src/keys/sealed-rows-supabase.ts'
import { createPostgresKeyStore } from '../src/keys/store-postgres.ts'
import { createSupabaseKeyStore } from '../src/keys/store-supabase.ts'
import { startKeysDatabase } from './keys-setting.ts'
import type { KeysDatabase } from './keys-setting.ts'

/** A store by itself, on what it is kept in. */
export interface StoreStand {
  store: KeyStore
  /** llm-proxy's own database, where the audit is. */
  own: KeysDatabase
  supabase: TestSupabase | undefined
  /** The keys of all users, as an operator's command sees them; each call is another run of it. */
  sealedRows(): SealedRows
  /** Statements as the superuser, where the keys are. */
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** A token such as auth-service gives llm-proxy for the project, but for `claims`. */
  token(subject: string, claims?: object): Promise<string>
  close(): Promise<void>
}

export async function startPostgresStand(): Promise<StoreStand> {
  const own = await startKeysDatabase()
  return {
    ...{ own, supabase: undefined, store: createPostgresKeyStore(own.database) },
    sealedRows: () => postgresSealedRows(own.asOwner()),
    admin: (text, values) => own.admin(text, values),
    token: () => Promise.reject(new Error('No token is needed here.')),
    close: () => own.close(),
  }
}

export async function startSupabaseStand(): Promise<StoreStand> {
  const [own, supabase] = await Promise.all([startKeysDatabase(), startTestSupabase({ collections: [] })])
  const admin = new pg.Client({ connectionString: supabase.adminUrl })
  await admin.connect()
  const project = {
    ...{ baseUrl: supabase.url, schema: 'public' },
    publishableKey: new Secret(supabase.publishableKey),
    secretKey: new Secret(supabase.secretKey),
  }
  const http = createHttpClient({
    service: 'llm-proxy',
    config: {
      ...{ SERVICE_SECRET: new Secret('x'.repeat(32)), AUTH_SERVICE_URL: 'http://127.0.0.1:9' },
      ...{ CLIENT_TIMEOUT_MS: 5_000, CLIENT_MAX_ANSWER_BYTES: 1024 ** 2, CLIENT_MAX_SOCKETS: 50 },
      ...{ CLIENT_RETRIES: 0, PROPAGATION_MODE: 'exchange', PASSTHROUGH_HOSTS: [] },
    },
  })
  const token = async (subject: string, claims: object = {}) => {
    const grant = {
      claims: {
        ...{ iss: 'https://waybill.local', aud: supabase.audience, sub: subject, client_id: 'llm-proxy' },
        ...{ principal: 'user' as const, role: 'authenticated', scope: '', ...claims },
      },
      lifetimeSeconds: 300,
    }
    return (await signAccessToken(supabase.signingKey, grant)).token
  }
  const log = createLogger({ service: 'llm-proxy', level: 'silent' })
  const caller = new AsyncLocalStorage<string>()
  const ownStore = createPostgresKeyStore(own.database)
  const client = http.external(supabaseOutside(project, 'The store'))
  const store = createSupabaseKeyStore({
    ...{ client, project, log },
    tokens: { token: () => token(caller.getStore() ?? ''), forget: () => undefined },
    audited: createAudited(own.database, log),
    note: (principal, entry) => ownStore.note(principal, entry),
  })
  // In whose request a call is, is what its token says.
  return {
    ...{ own, supabase, token },
    sealedRows: () => supabaseSealedRows({ client, project, owner: own.asOwner() }),
    store: {
      list: (principal) => caller.run(principal.userId, () => store.list(principal)),
      add: (principal, ...rest) => caller.run(principal.userId, () => store.add(principal, ...rest)),
      change: (principal, ...rest) => caller.run(principal.userId, () => store.change(principal, ...rest)),
      remove: (principal, ...rest) => caller.run(principal.userId, () => store.remove(principal, ...rest)),
      note: (principal, ...rest) => caller.run(principal.userId, () => store.note(principal, ...rest)),
    },
    admin: async (text, values) => (await admin.query<Record<string, unknown>>(text, values)).rows,
    async close() {
      await http.close()
      await admin.end()
      await Promise.all([supabase.close(), own.close()])
    },
  }
}
