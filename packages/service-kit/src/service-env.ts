import type { z } from 'zod'
import { env } from './config.ts'

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The variables that every service understands; spread into its schema. `port` is the service's own default. */
export function serviceEnv(defaults: { port: number }) {
  return {
    NODE_ENV: env.choice(['development', 'test', 'production'], 'development'),
    HOST: env.text('127.0.0.1'),
    PORT: env.int({ min: 0, max: 65535, default: defaults.port }),
    LOG_LEVEL: env.choice([...LEVELS], 'info'),
    /** Whose X-Forwarded-For is believed. Nobody's unless said. */
    TRUSTED_PROXIES: env.cidrs(),
    BODY_LIMIT_BYTES: env.int({ min: 1024, max: 1024 ** 3, default: 1024 ** 2 }),
    REQUEST_TIMEOUT_MS: env.int({ min: 100, max: 3_600_000, default: 30_000 }),
    SHUTDOWN_TIMEOUT_MS: env.int({ min: 0, max: 600_000, default: 10_000 }),
  }
}

export type ServiceConfig = z.output<z.ZodObject<ReturnType<typeof serviceEnv>>>
