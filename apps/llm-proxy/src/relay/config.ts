import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** The variables of what goes to a provider and comes back from it. */
export const relayEnv = {
  UPSTREAM_CONNECT_TIMEOUT_MS: env
    .int({ min: 10, max: 600_000, default: 5_000 })
    .describe('How long a connection to a provider may take to be made, in milliseconds'),
  UPSTREAM_FIRST_BYTE_TIMEOUT_MS: env
    .int({ min: 10, max: 3_600_000, default: 590_000 })
    .describe(
      'How long a provider may take until its answer begins, in milliseconds: models think long; a little less than the ten minutes that the SDKs of vendors wait',
    ),
  UPSTREAM_IDLE_TIMEOUT_MS: env
    .int({ min: 10, max: 3_600_000, default: 300_000 })
    .describe(
      'How long a provider may say nothing in the midst of its answer, in milliseconds: some send nothing while they think',
    ),
  UPSTREAM_TOTAL_TIMEOUT_MS: env
    .int({ min: 10, max: 86_400_000, default: 900_000 })
    .describe('How long an answer of a provider may take as a whole, in milliseconds'),
  VIA_NAME: env
    .text('')
    .refine((name) => /^[A-Za-z0-9._-]{0,64}$/.test(name), { error: 'must be a plain name' })
    .describe(
      "This deployment's name in the Via of what it sends, by which a loop is known: another one for each llm-proxy that stands in a row; made of AUTH_ISSUER unless said",
    ),
  UPSTREAM_MAX_SOCKETS: env
    .int({ min: 1, max: 100_000, default: 1_024 })
    .describe(
      'Connections to each provider at a time; a request waits for a free one UPSTREAM_CONNECT_TIMEOUT_MS',
    ),
  RELAY_BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 32 * 1024 ** 2 })
    .describe('The largest body that is passed on to a provider, in bytes'),
  RELAY_MAX_JSON_VALUES: env
    .int({ min: 1_000, max: 100_000_000, default: 500_000 })
    .describe(
      'The most lists, objects and commas of a JSON body that is passed on: parsed they take far more than their bytes',
    ),
  RELAY_MAX_JSON_DEPTH: env
    .int({ min: 8, max: 100_000, default: 128 })
    .describe(
      'How deep in one another the lists and objects of a JSON body that is passed on may be: some parsers die of more',
    ),
  UNSTATED_OUTPUT_TOKENS: env
    .int({ min: 0, max: 1_000_000, default: 1_024 })
    .describe('How many tokens of output are reserved for a request that names no most of them'),
  RESERVED_OUTPUT_TOKENS_MAX: env
    .int({ min: 1, max: 10_000_000, default: 8_192 })
    .describe(
      "Of the output that a request may have no more is taken from the minute's tokens in advance, for each answer; budgets must have all of it left",
    ),
  MAX_READ_ANSWER_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 8 * 1024 ** 2 })
    .describe('Up to here the usage is read out of a whole answer, in bytes; a larger one passes unread'),
}

export type RelayConfig = z.output<z.ZodObject<typeof relayEnv>>
