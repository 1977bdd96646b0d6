import type { z } from 'zod'
import { env } from './config.ts'
import { tlsEnv } from './tls/tls-env.ts'

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The variables that every service understands; spread into its schema. `port` is the service's own default. */
export function serviceEnv(defaults: { port: number }) {
  return {
    NODE_ENV: env
      .choice(['development', 'test', 'production'], 'development')
      .describe('In production a missing, short or published secret stops the start'),
    HOST: env.text('127.0.0.1').describe('The address to listen on; 0.0.0.0 in a container'),
    PORT: env
      .int({ min: 0, max: 65535, default: defaults.port })
      .describe('The port to listen on; 0 for any free one'),
    LOG_LEVEL: env.choice([...LEVELS], 'info').describe(`One of ${LEVELS.join(', ')}`),
    TRUSTED_PROXIES: env.cidrs().describe('CIDR ranges whose X-Forwarded-For is believed'),
    BODY_LIMIT_BYTES: env
      .int({ min: 1024, max: 1024 ** 3, default: 1024 ** 2 })
      .describe('The largest body, in bytes; some routes have limits of their own'),
    REQUEST_TIMEOUT_MS: env
      .int({ min: 100, max: 3_600_000, default: 30_000 })
      .describe('How long a request may take, in ms; 504 after that'),
    SHUTDOWN_TIMEOUT_MS: env
      .int({ min: 0, max: 600_000, default: 10_000 })
      .describe('How long requests under way may go on after SIGTERM, in ms'),
    ...tlsEnv,
  }
}

export type ServiceConfig = z.output<z.ZodObject<ReturnType<typeof serviceEnv>>>
