import { supabaseEnv as projectEnv, supabaseProject } from '@waybill/http-client'
import type { SupabaseProject } from '@waybill/http-client'
import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** The variables of the backend `supabase`. */
export const supabaseEnv = {
  ...projectEnv,
  SUPABASE_URL: projectEnv.SUPABASE_URL.describe(
    'A project of Supabase, or a PostgREST; empty: the backend is not configured',
  ),
  SUPABASE_SECRET_KEY: projectEnv.SUPABASE_SECRET_KEY.describe(
    'A secret key of the project, to reload its schema cache and to see whether the tables are there; for no call of a user',
  ),
  SUPABASE_MAX_CONCURRENT: env
    .int({ min: 1, max: 1_000, default: 32 })
    .describe(
      'Operations in Supabase at a time, each with one call at a time; as many more wait a second at most, the next one is 503',
    ),
}

/** A project that is configured. */
export interface SupabaseSettings extends SupabaseProject {
  /** Operations at a time. */
  maxConcurrent: number
}

/**
 * The settings; undefined when the backend is not configured.
 * @throws ConfigError when there is a URL and no publishable key
 */
export function supabaseSettings(
  config: z.output<z.ZodObject<typeof supabaseEnv>>,
): SupabaseSettings | undefined {
  const project = supabaseProject(config)
  return project && { ...project, maxConcurrent: config.SUPABASE_MAX_CONCURRENT }
}
