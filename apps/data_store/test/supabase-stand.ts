import { signAccessToken } from '@waybill/auth'
import { startTestSupabase } from '@waybill/dev-env'
import type { TestSupabase } from '@waybill/dev-env'
import { clientEnv, createHttpClient } from '@waybill/http-client'
import { createLogger, Secret } from '@waybill/service-kit'
import pg from 'pg'
import { z } from 'zod'
import type { Backend, Operation } from '../src/backend.ts'
import { createSupabase } from '../src/backends/supabase/supabase.ts'
import type { Supabase } from '../src/backends/supabase/supabase.ts'
import type { Collection } from '../src/collections/collection.ts'
import { startRecordingProxy } from './fixtures/recording-proxy.ts'
import type { RecordingProxy } from './fixtures/recording-proxy.ts'

/** The backend by itself, on a real PostgREST, with a recorder between them. */
export interface SupabaseStand {
  supabase: TestSupabase
  proxy: RecordingProxy
  backend: Backend
  verify: Supabase['verify']
  /** The tokens that it was given. */
  given: string[]
  /** What it logged, a line each. */
  logged: string[]
  /** Statements as the superuser of the database. */
  admin(text: string): Promise<Record<string, unknown>[]>
  /** An action in somebody's name: his token goes along from now on. */
  as(subject: string, options?: { owner?: string; scope?: 'user' | 'tenant'; claims?: object }): Operation
  /** A token such as auth-service gives data_store, but for `claims`. */
  token(subject: string, claims?: object): Promise<string>
  close(): Promise<void>
}

export interface StandOptions {
  secretKey?: boolean
  maxScanned?: number
  maxAnswerBytes?: number
  /** Without the recorder between. */
  direct?: boolean
}

export async function startSupabaseStand(options: StandOptions = {}): Promise<SupabaseStand> {
  const supabase = await startTestSupabase({
    collections: [
      { table: 'notes', scope: 'user' },
      { table: 'tenant-notes', scope: 'tenant' },
    ],
  })
  const proxy = await startRecordingProxy(supabase.url)
  const admin = new pg.Client({ connectionString: supabase.adminUrl })
  await admin.connect()
  const client = createHttpClient({
    service: 'data_store',
    config: z.object(clientEnv).parse({
      ...{ SERVICE_SECRET: 'for tests', CLIENT_TIMEOUT_MS: '5000' },
      ...(options.maxAnswerBytes && { CLIENT_MAX_ANSWER_BYTES: String(options.maxAnswerBytes) }),
    }),
  })
  const token = async (subject: string, claims: object = {}) => {
    const grant = {
      claims: {
        ...{ iss: 'https://waybill.local', aud: supabase.audience, sub: subject, client_id: 'data_store' },
        ...{
          principal: 'user' as const,
          role: 'authenticated',
          scope: 'memory.read memory.write',
          ...claims,
        },
      },
      lifetimeSeconds: 300,
    }
    return (await signAccessToken(supabase.signingKey, grant)).token
  }
  let current: { subject: string; claims: object } = { subject: 'nobody', claims: {} }
  const given: string[] = []
  const logged: string[] = []
  const made = createSupabase({
    settings: {
      baseUrl: options.direct ? supabase.url : proxy.url,
      schema: 'public',
      publishableKey: new Secret(supabase.publishableKey),
      secretKey: options.secretKey === false ? undefined : new Secret(supabase.secretKey),
      maxConcurrent: 100,
    },
    client,
    tokens: {
      async token() {
        const one = await token(current.subject, current.claims)
        given.push(one)
        return one
      },
      forget: () => undefined,
    },
    maxScanned: options.maxScanned ?? 10_000,
    log: createLogger({
      service: 'data_store',
      level: 'info',
      destination: { write: (line: string) => void logged.push(line) },
    }),
  })

  return {
    ...{ supabase, proxy, given, logged, token },
    backend: made.backend,
    verify: (collections) => made.verify(collections),
    admin: async (text) => (await admin.query<Record<string, unknown>>(text)).rows,
    as(subject, { owner = subject, scope = 'user', claims = {} } = {}) {
      current = { subject, claims }
      return operation(subject, owner, scope)
    },
    async close() {
      await client.close()
      await proxy.close()
      await admin.end()
      await supabase.close()
    },
  }
}

function operation(subject: string, owner: string, scope: Collection['scope']): Operation {
  const name = scope === 'user' ? 'notes' : `${scope}-notes`
  return {
    principal: {
      ...{ kind: 'user', userId: subject, role: 'user', permissions: [], actors: [], via: 'jwt' },
    },
    collection: {
      ...{ backend: 'supabase', name, table: name, scope, fields: {}, requireIfMatch: false },
      permissions: { read: 'memory.read', write: 'memory.write' },
      validate: () => undefined,
    },
    owner,
    succeeded: { action: 'test', resource: `supabase/${name}`, outcome: 'success' },
  }
}
