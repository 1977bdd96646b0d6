import type { HttpClient } from '@waybill/http-client'
import type { Logger } from '@waybill/service-kit'
import { SPAN } from '@waybill/telemetry'
import type { Backend } from '../../backend.ts'
import type { Collection } from '../../collections/collection.ts'
import { bulkhead } from '../bulkhead.ts'
import { createLock } from '../lock.ts'
import { traced } from '../traced.ts'
import { createFileMakerBackend } from './backend.ts'
import { fileMakerSettings } from './config.ts'
import type { FileMakerConfig } from './config.ts'
import { createDataApi } from './data-api.ts'
import { createSweep } from './sweep.ts'

type Config = FileMakerConfig & {
  RECORD_MAX_BYTES: number
  SCAN_MAX_RECORDS: number
  CLIENT_MAX_ANSWER_BYTES: number
}

/** JSON in JSON, the text of a member once more in its own field, and every quotation mark escaped. */
const LARGEST_GROWTH = 8

/** The backend while it is open. */
export interface OpenFileMaker {
  backend: Backend
  /** Removes what earlier deletions have left behind in the layouts of the collections. Never fails. */
  start(declared: readonly Collection[]): Promise<void>
  /** Logs out. */
  close(): Promise<void>
}

/**
 * Undefined when FileMaker is not configured. Nothing is called before it is started.
 * @throws ConfigError naming what is missing
 */
export function openFileMaker(config: Config, http: HttpClient, log: Logger): OpenFileMaker | undefined {
  const settings = fileMakerSettings(config)
  if (!settings) return undefined
  const client = http.external({
    allowHeaders: ['Content-Type'],
    // It is the operator who says where it is, and FileMaker is rarely on the open internet.
    allowPrivateOrigins: [new URL(settings.url).origin],
    backend: 'FileMaker',
  })
  const api = createDataApi({ settings, client, log })
  const safe = Math.floor(config.CLIENT_MAX_ANSWER_BYTES / (LARGEST_GROWTH * config.RECORD_MAX_BYTES))
  const sizes = { usual: config.FILEMAKER_PAGE_RECORDS, safe: Math.max(1, safe) }
  const sweep = createSweep({ api, pageRecords: Math.min(sizes.usual, sizes.safe), log })
  const backend = createFileMakerBackend({
    ...{ api, sizes, log, lock: createLock() },
    ...{ timeoutMs: settings.timeoutMs, maxRecords: config.SCAN_MAX_RECORDS },
  })
  const limited = bulkhead(backend, { name: 'filemaker', most: settings.maxOperations })
  return {
    backend: traced(limited, SPAN.fileMaker, 'filemaker'),
    start: (declared) => sweep.start(declared.map(({ table }) => table)),
    async close() {
      await sweep.close()
      await api.close()
    },
  }
}
