import { SERVICES } from '@waybill/contracts'
import type { ServiceName } from '@waybill/contracts'
import { loadSecrets, serviceEnvironments } from '@waybill/dev-env'
import { loadConfig } from '@waybill/service-kit'
import type { Guard, Route, Service } from '@waybill/service-kit'
import type { z } from 'zod'

/** A method of gRPC, where an app has any. */
interface Method {
  path: string
  auth: Guard
}

interface AppModule {
  createApp: (config: unknown) => Service & { methods?: readonly Method[] }
}
interface ConfigModule {
  configSchema: z.ZodObject
}

export interface DescribedApp {
  name: ServiceName
  schema: z.ZodObject
  routes: readonly Route[]
  methods: readonly Method[]
}

/** Every app with its variables and its routes, put together but neither started nor listening. */
export async function describeApps(): Promise<DescribedApp[]> {
  const urls = Object.fromEntries(SERVICES.map((name) => [name, 'http://127.0.0.1:1'])) as Record<
    ServiceName,
    string
  >
  const database = 'postgresql://nobody:nothing@127.0.0.1:1/nowhere'
  const environments = serviceEnvironments(
    {
      urls,
      secrets: loadSecrets(undefined),
      postgres: { url: () => database, migrationUrl: () => database },
      traces: 'http://127.0.0.1:1',
      dataDir: '.waybill',
      relaxedLimits: false,
    },
    { LOG_LEVEL: 'silent' },
  )
  return Promise.all(SERVICES.map((name) => describe(name, environments[name])))
}

async function describe(name: ServiceName, environment: NodeJS.ProcessEnv): Promise<DescribedApp> {
  const source = (file: string): string =>
    new URL(`../../../../apps/${name}/src/${file}`, import.meta.url).href
  // Apps export nothing to packages; these two modules have the same shape in each of them.
  const { configSchema } = (await import(source('config.ts'))) as ConfigModule
  const { createApp } = (await import(source('app.ts'))) as AppModule
  const service = createApp(loadConfig(configSchema, environment))
  await service.close()
  return { name, schema: configSchema, routes: service.routes, methods: service.methods ?? [] }
}
