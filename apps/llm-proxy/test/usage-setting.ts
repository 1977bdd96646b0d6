import { openDatabase } from '@waybill/database'
import type { Database } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import { createLogger, loadConfig, Secret } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import pg from 'pg'
import { z } from 'zod'
import { limitsEnv } from '../src/limits/config.ts'
import type { Tables } from '../src/tables.ts'
import { usageEnv } from '../src/usage/config.ts'
import type { CallOutcome, MeteredCall } from '../src/usage/meter.ts'
import type { Price } from '../src/usage/prices.ts'
import { openUsage } from '../src/usage/usage.ts'
import type { Usage } from '../src/usage/usage.ts'

/** A Postgres with the schema of llm-proxy, and what the meter needs of it. */
export interface UsageSetting {
  database: Database<Tables>
  /** Usage of one instance; `at` is its clock. */
  open(environment?: Record<string, string>, at?: () => number): Usage
  /** Statements as the superuser. */
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** Every line of the log so far. */
  logged(): Record<string, unknown>[]
  close(): Promise<void>
}

/** Tokens of `free-of-charge` have no price. */
export const PRICES: Price[] = [
  { provider: 'openai', model: 'gpt-test*', input_per_million: 2.5, output_per_million: 10, currency: 'USD' },
  {
    provider: 'openai',
    model: 'gpt-cheap',
    input_per_million: 0.1,
    output_per_million: 0.1,
    currency: 'USD',
  },
  { provider: 'mistral', model: 'euro', input_per_million: 1, output_per_million: 1, currency: 'EUR' },
]

export async function startUsageSetting(): Promise<UsageSetting> {
  const postgres = await startTestPostgres('llm-proxy')
  const client = new pg.Client({ connectionString: postgres.adminUrl })
  await client.connect()
  let text = ''
  const log = createLogger({
    service: 'llm-proxy',
    level: 'info',
    destination: { write: (line) => void (text += line) },
  })
  const database = openDatabase<Tables>({
    config: {
      DATABASE_URL: new Secret(postgres.databaseUrl),
      DATABASE_MIGRATION_URL: new Secret(postgres.migrationUrl),
      DATABASE_USER_ROLE: '',
      DATABASE_POOL_SIZE: 4,
      DATABASE_CONNECT_TIMEOUT_MS: 5_000,
      DATABASE_STATEMENT_TIMEOUT_MS: 15_000,
      DATABASE_LOCK_TIMEOUT_MS: 5_000,
    },
    migrations: new URL('../migrations/', import.meta.url),
    log,
    service: 'llm-proxy',
  })
  await database.start()
  const opened: Usage[] = []
  return {
    database,
    open(environment = {}, now) {
      const config = loadConfig(z.object({ ...limitsEnv, ...usageEnv }), {
        LLM_REQUESTS_PER_MINUTE: 'free=100000',
        LLM_CONCURRENT_REQUESTS: 'free=1000',
        LLM_TOKENS_PER_MINUTE: 'free=100000000',
        USAGE_WRITE_INTERVAL_MS: '0',
        ...environment,
      })
      const usage = openUsage({ config, database, prices: PRICES, log, ...(now && { now }) })
      opened.push(usage)
      return usage
    },
    admin: async (statement, values) => (await client.query<Record<string, unknown>>(statement, values)).rows,
    logged: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async close() {
      for (const usage of opened) await usage.close()
      await database.close()
      await client.end()
      await postgres.close()
    },
  }
}

export function userOf(userId: string, more: Partial<UserPrincipal> = {}): UserPrincipal {
  return {
    kind: 'user',
    userId,
    role: 'user',
    permissions: ['agents.query'],
    actors: [],
    via: 'jwt',
    ...more,
  }
}

export function callOf(userId: string, more: Partial<MeteredCall> = {}): MeteredCall {
  return {
    principal: userOf(userId),
    provider: 'openai',
    model: 'gpt-test',
    operation: 'chat',
    stream: false,
    estimatedTokens: 10,
    estimatedInputTokens: 4,
    ...more,
  }
}

/** A call that was answered, with so many tokens. */
export function answered(
  inputTokens: number,
  outputTokens: number,
  more: Partial<CallOutcome> = {},
): CallOutcome {
  return {
    usage: { inputTokens, outputTokens, cachedInputTokens: 0 },
    provider: 'openai',
    model: 'gpt-test',
    keyId: 'key-1',
    result: 'answered',
    ...more,
  }
}
