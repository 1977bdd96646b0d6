import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** The variables of whoever calls other services; spread into a service's schema. */
export const clientEnv = {
  AUTH_SERVICE_URL: env.url('http://127.0.0.1:8005').describe('Where auth-service is: keys and tokens'),
  SERVICE_SECRET: env
    .secret()
    .describe('Proves to auth-service which service this is, when it asks for tokens'),
  PROPAGATION_MODE: env
    .choice(['exchange', 'passthrough'], 'exchange')
    .describe(
      "`exchange`: a token for that one audience, on the user's behalf. `passthrough`: the user's own token",
    ),
  PASSTHROUGH_HOSTS: env
    .list([])
    .describe(
      "With passthrough: the hosts (with port, if any) that may see the user's own token. None unless said",
    ),
  CLIENT_TIMEOUT_MS: env
    .int({ min: 50, max: 3_600_000, default: 25_000 })
    .describe(
      "The longest that a call may take, in milliseconds; less when the caller's own deadline is nearer",
    ),
  CLIENT_MAX_SOCKETS: env
    .int({ min: 1, max: 10_000, default: 128 })
    .describe('Connections kept to each neighbour'),
  CLIENT_MAX_ANSWER_BYTES: env
    .int({ min: 1_024, max: 1_073_741_824, default: 33_554_432 })
    .describe('The longest answer of a neighbour that is read whole, in bytes; a longer one is a failure'),
  CLIENT_RETRIES: env
    .int({ min: 0, max: 10, default: 2 })
    .describe('How often an idempotent call is tried again'),
}

export type ClientConfig = z.output<z.ZodObject<typeof clientEnv>>
