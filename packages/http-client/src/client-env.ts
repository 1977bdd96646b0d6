import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** The variables of whoever calls other services; spread into a service's schema. */
export const clientEnv = {
  AUTH_SERVICE_URL: env.url('http://127.0.0.1:8005'),
  /** Proves to auth-service which service this is, when it asks for tokens. */
  SERVICE_SECRET: env.secret(),
  /** `exchange`: a token for that one audience, on the user's behalf. `passthrough`: the user's own token. */
  PROPAGATION_MODE: env.choice(['exchange', 'passthrough'], 'exchange'),
  /** With passthrough: the hosts (with port, if any) that may see the user's own token. None unless said. */
  PASSTHROUGH_HOSTS: env.list([]),
  /** The longest that a call may take, in milliseconds; less when the caller's own deadline is nearer. */
  CLIENT_TIMEOUT_MS: env.int({ min: 50, max: 3_600_000, default: 25_000 }),
  /** Connections kept to each neighbour. */
  CLIENT_MAX_SOCKETS: env.int({ min: 1, max: 10_000, default: 128 }),
  /** How often an idempotent call is tried again. */
  CLIENT_RETRIES: env.int({ min: 0, max: 10, default: 2 }),
}

export type ClientConfig = z.output<z.ZodObject<typeof clientEnv>>
