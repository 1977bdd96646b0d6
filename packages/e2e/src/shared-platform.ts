import { startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    platform: Pick<Platform, 'services' | 'grpc' | 'traces' | 'accounts' | 'serviceSecrets'>
  }
}

/** Starts the platform that `inject('platform')` gives to every test file; returns what stops it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const platform = await startPlatform({ env: { ...process.env, LOG_LEVEL: 'warn' } })
  const { services, grpc, traces, accounts, serviceSecrets } = platform
  project.provide('platform', { services, grpc, traces, accounts, serviceSecrets })
  return () => platform.close()
}
