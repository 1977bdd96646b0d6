import { ConfigError, env } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { z } from 'zod'
import { isOrigin, NOT_AN_ORIGIN } from '../origin.ts'

/** Segments of a path, none of which leads out of it. */
const REST_PATH = /^\/(?:[\w-][\w.-]*\/)*(?:[\w-][\w.-]*)?$/

/** The variables of a service that keeps something in a project of Supabase. */
export const supabaseEnv = {
  SUPABASE_URL: env
    .url('')
    .refine((text) => text === '' || isOrigin(text), { error: NOT_AN_ORIGIN })
    .describe('A project of Supabase, or a PostgREST; empty: none is configured'),
  SUPABASE_REST_PATH: env
    .text('/rest/v1')
    .refine((path) => REST_PATH.test(path), { error: 'must be a path such as /rest/v1' })
    .describe('Where PostgREST is under SUPABASE_URL; `/` for one without a gateway before it'),
  SUPABASE_PUBLISHABLE_KEY: env
    .secret()
    .optional()
    .describe("The project's publishable key: goes with every call on a user's behalf, as `apikey`"),
  SUPABASE_ANON_KEY: env
    .secret()
    .optional()
    .describe('Another name for SUPABASE_PUBLISHABLE_KEY, which wins'),
  SUPABASE_SECRET_KEY: env
    .secret()
    .optional()
    .describe("A secret key of the project, for the service's own operations; for no call of a user"),
  SUPABASE_SERVICE_ROLE_KEY: env
    .secret()
    .optional()
    .describe('Another name for SUPABASE_SECRET_KEY, which wins'),
  SUPABASE_SCHEMA: env
    .text('public')
    .refine((name) => /^[A-Za-z_]\w{0,62}$/.test(name), { error: 'must be the name of a schema' })
    .describe('The schema of the tables, one of those that the API of the project exposes'),
}

type SupabaseConfig = z.output<z.ZodObject<typeof supabaseEnv>>

/** A project that is configured. */
export interface SupabaseProject {
  /** Where PostgREST is, without a slash at the end. */
  baseUrl: string
  schema: string
  publishableKey: Secret
  secretKey: Secret | undefined
}

/**
 * The project; undefined when none is configured.
 * @throws ConfigError when there is a URL and no publishable key
 */
export function supabaseProject(config: SupabaseConfig): SupabaseProject | undefined {
  if (config.SUPABASE_URL === '') return undefined
  const publishableKey = config.SUPABASE_PUBLISHABLE_KEY ?? config.SUPABASE_ANON_KEY
  if (!publishableKey) {
    throw new ConfigError([
      { variable: 'SUPABASE_PUBLISHABLE_KEY', message: 'is required with SUPABASE_URL' },
    ])
  }
  return {
    baseUrl: (config.SUPABASE_URL + config.SUPABASE_REST_PATH).replace(/\/+$/, ''),
    schema: config.SUPABASE_SCHEMA,
    publishableKey,
    secretKey: config.SUPABASE_SECRET_KEY ?? config.SUPABASE_SERVICE_ROLE_KEY,
  }
}
