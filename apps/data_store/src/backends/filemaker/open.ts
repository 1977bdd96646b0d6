import type { HttpClient } from '@waybill/http-client'
import type { Logger } from '@waybill/service-kit'
import type { Backend } from '../../backend.ts'
import { createLock } from '../lock.ts'
import { createFileMakerBackend } from './backend.ts'
import { fileMakerSettings } from './config.ts'
import type { FileMakerConfig } from './config.ts'
import { createDataApi } from './data-api.ts'

type Config = FileMakerConfig & {
  RECORD_MAX_BYTES: number
  SCAN_MAX_RECORDS: number
  CLIENT_MAX_ANSWER_BYTES: number
}

/** JSON in JSON, the text of a member once more in its own field, and every quotation mark escaped. */
const LARGEST_GROWTH = 8

/**
 * The backend, and how to log it out; undefined when FileMaker is not configured. Nothing is called before the first operation.
 * @throws ConfigError naming what is missing
 */
export function openFileMaker(
  config: Config,
  http: HttpClient,
  log: Logger,
): { backend: Backend; close: () => Promise<void> } | undefined {
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
  const backend = createFileMakerBackend({
    ...{ api, log, lock: createLock(), timeoutMs: settings.timeoutMs, maxRecords: config.SCAN_MAX_RECORDS },
    sizes: { usual: config.FILEMAKER_PAGE_RECORDS, safe: Math.max(1, safe) },
  })
  return { backend, close: () => api.close() }
}
