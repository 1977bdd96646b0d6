import { startFileMaker } from '@waybill/dev-env'
import type { FileMakerEmulator } from '@waybill/dev-env'
import { clientEnv, createHttpClient } from '@waybill/http-client'
import { createLogger, loadConfig } from '@waybill/service-kit'
import { z } from 'zod'
import { createDataApi } from '../src/backends/filemaker/data-api.ts'
import type { DataApi } from '../src/backends/filemaker/data-api.ts'
import { fileMakerEnv, fileMakerSettings } from '../src/backends/filemaker/config.ts'

export interface FileMakerStand {
  fm: FileMakerEmulator
  api: DataApi
  /** All that was logged. */
  logged(): string
  close(): Promise<void>
}

type Layouts = Parameters<typeof startFileMaker>[0]['layouts']

/** The emulator, and our client of its Data API. */
export async function startStand(
  layouts: Layouts,
  environment: Record<string, string> = {},
): Promise<FileMakerStand> {
  const fm = await startFileMaker({ layouts, password: PASSWORD })
  const config = loadConfig(z.object({ ...clientEnv, ...fileMakerEnv }), {
    SERVICE_SECRET: 'for tests',
    FILEMAKER_URL: fm.url,
    FILEMAKER_DATABASE: fm.database,
    FILEMAKER_USERNAME: fm.username,
    FILEMAKER_PASSWORD: PASSWORD,
    ...environment,
  })
  let lines = ''
  const log = createLogger({
    service: 'data_store',
    level: 'trace',
    destination: { write: (line: string) => void (lines += line) },
  })
  const http = createHttpClient({ service: 'data_store', config })
  const client = http.external({
    allowHeaders: ['Content-Type'],
    allowPrivateOrigins: [fm.url],
    backend: 'FileMaker',
  })
  const api = createDataApi({ settings: fileMakerSettings(config)!, client, log })
  return {
    ...{ fm, api },
    logged: () => lines,
    async close() {
      fm.mend()
      await api.close()
      await http.close()
      await fm.close()
    },
  }
}

/** Must not be seen anywhere. */
export const PASSWORD = 'canary-in-the-coal-mine'

/** What `work` throws. */
export async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => {
      throw new Error(`nothing was thrown, but ${JSON.stringify(value)} given back`)
    },
    (error: unknown) => error,
  )
}
