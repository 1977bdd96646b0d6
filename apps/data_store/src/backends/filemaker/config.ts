import { ConfigError, env } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { z } from 'zod'
import { isOrigin, NOT_AN_ORIGIN } from '@waybill/http-client'

/** The variables of the FileMaker backend; spread into the service's schema. */
export const fileMakerEnv = {
  FILEMAKER_URL: env
    .url()
    .refine(isOrigin, { error: NOT_AN_ORIGIN })
    .optional()
    .describe(
      'Where the FileMaker Server is, with its Data API enabled; without it the backend is not configured',
    ),
  FILEMAKER_DATABASE: env
    .text()
    .refine((name) => name !== '.' && name !== '..', { error: 'is no name of a file' })
    .optional()
    .describe('The hosted file, without .fmp12'),
  FILEMAKER_USERNAME: env
    .text()
    .refine((name) => !name.includes(':'), { error: 'must not have a colon' })
    .optional()
    .describe(
      "The service's own account in that file; its privilege set needs fmrest, and the layouts it works on",
    ),
  FILEMAKER_PASSWORD: env.secret().optional().describe('The password of that account'),
  FILEMAKER_API_VERSION: env
    .choice(['vLatest', 'v2', 'v1'], 'vLatest')
    .describe('The version of the Data API that is asked for'),
  FILEMAKER_TIMEOUT_MS: env
    .int({ min: 50, max: 600_000, default: 10_000 })
    .describe('The longest that one call to FileMaker may take, in milliseconds'),
  FILEMAKER_MAX_CONCURRENT: env
    .int({ min: 1, max: 100, default: 8 })
    .describe('Calls to FileMaker at a time, all in one session; the others wait'),
  FILEMAKER_MAX_WAITING: env
    .int({ min: 0, max: 1_000, default: 32 })
    .describe(
      'Operations that may be under way beyond FILEMAKER_MAX_CONCURRENT, waiting for a call; the next one is 503',
    ),
  FILEMAKER_PAGE_RECORDS: env
    .int({ min: 1, max: 10_000, default: 500 })
    .describe('How many records a call asks for when it looks through a collection'),
}

export type FileMakerConfig = z.output<z.ZodObject<typeof fileMakerEnv>>

/** What a client of the Data API needs to know. */
export interface FileMakerSettings {
  url: string
  database: string
  username: string
  password: Secret
  version: string
  timeoutMs: number
  /** Calls at a time. */
  maxConcurrent: number
  /** Operations at a time. */
  maxOperations: number
}

/**
 * Undefined when FileMaker is not configured.
 * @throws ConfigError naming what is missing beside FILEMAKER_URL
 */
export function fileMakerSettings(config: FileMakerConfig): FileMakerSettings | undefined {
  const { FILEMAKER_URL: url, FILEMAKER_DATABASE: database } = config
  const { FILEMAKER_USERNAME: username, FILEMAKER_PASSWORD: password } = config
  if (url === undefined) return undefined
  if (database === undefined || username === undefined || password === undefined) {
    const needed = ['FILEMAKER_DATABASE', 'FILEMAKER_USERNAME', 'FILEMAKER_PASSWORD'] as const
    const missing = needed.filter((variable) => config[variable] === undefined)
    throw new ConfigError(
      missing.map((variable) => ({ variable, message: 'is required with FILEMAKER_URL' })),
    )
  }
  return {
    ...{ url, database, username, password },
    version: config.FILEMAKER_API_VERSION,
    timeoutMs: config.FILEMAKER_TIMEOUT_MS,
    maxConcurrent: config.FILEMAKER_MAX_CONCURRENT,
    maxOperations: config.FILEMAKER_MAX_CONCURRENT + config.FILEMAKER_MAX_WAITING,
  }
}
