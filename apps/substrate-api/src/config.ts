import { authEnv, serviceSecretHashes } from '@waybill/auth'
import { databaseEnv } from '@waybill/database'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'

export const configSchema = z.object({
  ...serviceEnv({ port: 8001 }),
  ...authEnv,
  ...clientEnv,
  ...databaseEnv,
  GRPC_HOST: env.text('127.0.0.1').describe('The address that gRPC listens on; 0.0.0.0 in a container'),
  GRPC_PORT: env
    .int({ min: 0, max: 65535, default: 9001 })
    .describe('The port that gRPC listens on; 0 for any free one'),
  GRPC_TLS_CLIENT_AUTH: env
    .choice(['inherit', 'off', 'optional', 'required'], 'inherit')
    .describe(
      'Client certificates on gRPC; inherit: as TLS_CLIENT_AUTH. API keys come without one, so they need `optional`',
    ),
  GRPC_MAX_CONCURRENT_CALLS: env
    .int({ min: 1, max: 100_000, default: 256 })
    .describe('How many gRPC calls may be under way on one connection'),
  SUBSTRATE_SERVICE_SECRET: env
    .secret()
    .optional()
    .describe(
      'The static secret of work-platform, in clear, as older callers share it; unset: nobody may come with one',
    ),
  SERVICE_SECRETS: serviceSecretHashes().describe(
    'Static secrets by service, as JSON: name to the SHA-256 in hex, or {"sha256", "expires_at"}, or a list of two',
  ),
  JWT_EXEMPT_PATHS: env
    .list([])
    .describe(
      "Paths of routes, exactly as declared, for services in their own name and never with a user's token: `/api/dumps/new,/api/baskets`",
    ),
  DUMP_BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 64 * 1024 ** 2, default: 3_200_000 })
    .describe('The largest body of a raw dump, in bytes: 500,000 characters take 3 MB when each is escaped'),
  METADATA_MAX_BYTES: env
    .int({ min: 2, max: 1024 ** 2, default: 16 * 1024 })
    .describe('The longest `metadata` of a basket, as compact JSON in bytes'),
  METADATA_MAX_DEPTH: env
    .int({ min: 1, max: 100, default: 16 })
    .describe('How many levels of arrays and objects `metadata` may have'),
})

export type Config = z.output<typeof configSchema>
