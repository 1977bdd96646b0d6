import { createTestIssuer } from '@waybill/dev-env/testing'
import type { Issuer } from '@waybill/auth'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import type { z } from 'zod'
import { cpuOfProcess, reportTo } from '../serve-variant.ts'

// node servers/data-store.ts <variant>: data_store as it is (token, validation, log line, spans, audit) on the Postgres that the
// benchmark has filled, or a stand-in for the PostgREST that is running beside it.

const variant = process.argv[2] ?? ''
const setting = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is missing`)
  return value
}
const path = setting(variant === 'data_store' ? 'BENCH_DATA_STORE_PATH' : 'BENCH_POSTGREST_PATH')

if (variant === 'data_store') {
  const source = (file: string): string =>
    new URL(`../../../../apps/data_store/src/${file}`, import.meta.url).href
  // Apps export nothing to packages; these two modules have the same shape in each of them.
  const { configSchema } = (await import(source('config.ts'))) as { configSchema: z.ZodObject }
  const { createApp } = (await import(source('app.ts'))) as {
    createApp: (config: unknown, overrides: { issuer: Issuer }) => Service
  }
  const issuer = await createTestIssuer()
  const service = createApp(
    loadConfig(configSchema, {
      SERVICE_SECRET: 'for a benchmark',
      DATABASE_URL: setting('BENCH_DATABASE_URL'),
      DATABASE_MIGRATION_URL: setting('BENCH_MIGRATION_URL'),
    }),
    { issuer: issuer.issuer },
  )
  await service.start()
  const { port } = await service.listen({ port: 0 })
  const token = await issuer.userToken(setting('BENCH_USER'), { actors: ['gateway'], lifetimeSeconds: 3600 })
  reportTo({ port, path, headers: { Authorization: `Bearer ${token}` } })
  process.once('SIGTERM', () => {
    void service.close().then(() => process.exit(0))
  })
} else {
  const pid = Number(setting('BENCH_POSTGREST_PID'))
  const headers = { Authorization: `Bearer ${setting('BENCH_POSTGREST_TOKEN')}` }
  reportTo({ port: Number(setting('BENCH_POSTGREST_PORT')), path, headers }, () => cpuOfProcess(pid))
}
