import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** The variables of what goes to a provider and comes back from it. */
export const relayEnv = {
  UPSTREAM_CONNECT_TIMEOUT_MS: env
    .int({ min: 10, max: 600_000, default: 5_000 })
    .describe('How long a connection to a provider may take to be made, in milliseconds'),
  UPSTREAM_FIRST_BYTE_TIMEOUT_MS: env
    .int({ min: 10, max: 3_600_000, default: 300_000 })
    .describe('How long a provider may take until its answer begins, in milliseconds: models think long'),
  UPSTREAM_IDLE_TIMEOUT_MS: env
    .int({ min: 10, max: 3_600_000, default: 60_000 })
    .describe('How long a provider may say nothing in the midst of its answer, in milliseconds'),
  UPSTREAM_TOTAL_TIMEOUT_MS: env
    .int({ min: 10, max: 86_400_000, default: 600_000 })
    .describe('How long an answer of a provider may take as a whole, in milliseconds'),
  UPSTREAM_MAX_SOCKETS: env
    .int({ min: 1, max: 100_000, default: 1_024 })
    .describe(
      'Connections to each provider at a time; a request waits for a free one UPSTREAM_CONNECT_TIMEOUT_MS',
    ),
  RELAY_BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 32 * 1024 ** 2 })
    .describe('The largest body that is passed on to a provider, in bytes'),
  UNSTATED_OUTPUT_TOKENS: env
    .int({ min: 0, max: 1_000_000, default: 1_024 })
    .describe('How many tokens of output are reserved for a request that names no most of them'),
  MAX_READ_ANSWER_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 8 * 1024 ** 2 })
    .describe('Up to here the usage is read out of a whole answer, in bytes; a larger one passes unread'),
}

export type RelayConfig = z.output<z.ZodObject<typeof relayEnv>>
