import { authEnv } from '@waybill/auth'
import { databaseEnv } from '@waybill/database'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'

export const configSchema = z.object({
  ...serviceEnv({ port: 3000 }),
  ...authEnv,
  ...clientEnv,
  ...databaseEnv,
  SUBSTRATE_API_URL: env.url('http://127.0.0.1:8001').describe('Where substrate-api is'),
  SUBSTRATE_AUTH: env
    .choice(['auto', 'exchange', 'service-secret'], 'auto')
    .describe(
      "`auto`: `service-secret` where SUBSTRATE_SERVICE_SECRET is set, else `exchange`. `exchange`: substrate-api sees a token on the user's behalf. `service-secret`: it sees a secret of this service, and believes what it is told of workspace and user",
    ),
  SUBSTRATE_SERVICE_SECRET: env
    .secret()
    .optional()
    .describe(
      'The secret that substrate-api knows this service by; with SUBSTRATE_AUTH=exchange it is not used',
    ),
  BASKET_DETAILS_TIMEOUT_MS: env
    .int({ min: 10, max: 60_000, default: 3_000 })
    .describe(
      'How long a list waits for the details of its baskets before it is answered without them, in ms',
    ),
  WORKSPACE_MEMBERS_MAX: env
    .int({ min: 1, max: 10_000, default: 200 })
    .describe('How many members a workspace may have'),
  IDEMPOTENCY_TTL_HOURS: env
    .int({ min: 1, max: 8760, default: 24 })
    .describe('How long an Idempotency-Key is remembered, in hours'),
  RECONCILE_INTERVAL_MS: env
    .int({ min: 100, max: 86_400_000, default: 60_000 })
    .describe('How often leftovers of interrupted creations are cleared away, in milliseconds'),
  RECONCILE_AFTER_MS: env
    .int({ min: 0, max: 86_400_000, default: 120_000 })
    .describe(
      'How old a creation is to count as interrupted, in ms; never less than twice what a request may take',
    ),
})

export type Config = z.output<typeof configSchema>
