import type { Logger } from '@waybill/service-kit'
import type { FileMakerRecord } from './answer.ts'
import { startsWith } from './criterion.ts'
import type { DataApi } from './data-api.ts'
import { CODE, FileMakerFault, hasCode } from './fault.ts'
import { DELETED, FIELD } from './row.ts'

/**
 * Deletes for good what a deletion has left behind as nobody's: the process ended half way, or FileMaker did not let go of a record.
 * Until then its contents are still there.
 */
export interface Sweep {
  /** Once now, and then from time to time. What FileMaker does not do now is logged, and tried again. */
  start(layouts: readonly string[]): Promise<void>
  /** Waits for the one that is under way. */
  close(): Promise<void>
}

export interface SweepOptions {
  api: DataApi
  /** So many records can be read in one answer however long they are. */
  pageRecords: number
  log: Logger
  everyMs?: number
  /** In milliseconds. */
  now?: () => number
}

const EVERY_MS = 30 * 60_000
/** Whoever is deleting still, here or in another process, may yet give the record back; none takes nearly as long. */
const LEFT_BEHIND_MS = 60 * 60_000

export function createSweep({ api, pageRecords, log, now = Date.now, ...options }: SweepOptions): Sweep {
  const closing = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  const isLeftBehind = ({ fieldData }: FileMakerRecord): boolean => {
    const owner = fieldData[FIELD.owner]
    // To FileMaker more is alike than is the same.
    if (typeof owner !== 'string' || !owner.startsWith(DELETED)) return false
    const since = Date.parse(String(fieldData[FIELD.updatedAt]))
    return Number.isNaN(since) || now() - since > LEFT_BEHIND_MS
  }

  /** How many it has deleted. */
  async function sweepLayout(layout: string): Promise<number> {
    let swept = 0
    for (let offset = 1; !closing.signal.aborted;) {
      const query = [{ [FIELD.owner]: startsWith(DELETED) }]
      const page = await api.find(layout, query, { offset, limit: pageRecords })
      for (const record of page) {
        if (isLeftBehind(record) && (await isRemoved(layout, record.recordId))) swept += 1
        else offset += 1
      }
      if (page.length < pageRecords) break
    }
    return swept
  }

  /** False while somebody has it open in FileMaker. */
  async function isRemoved(layout: string, recordId: string): Promise<boolean> {
    try {
      await api.remove(layout, recordId)
      return true
    } catch (error) {
      if (hasCode(error, CODE.inUse)) return false
      if (hasCode(error, CODE.recordMissing)) return true
      throw error
    }
  }

  async function sweepAll(layouts: readonly string[]): Promise<void> {
    for (const layout of layouts) {
      try {
        const count = await sweepLayout(layout)
        if (count > 0)
          log.warn({ layout, count }, 'records that were deleted are gone from FileMaker at last')
      } catch (error) {
        log.warn({ err: error, layout }, 'FileMaker could not be asked what deletions have left behind')
        // Whoever does not answer now would be waited for at each of them.
        if (!(error instanceof FileMakerFault)) return
      }
    }
  }

  return {
    start(layouts) {
      const sweep = () =>
        (running ??= sweepAll(layouts).finally(() => {
          running = undefined
        }))
      timer ??= setInterval(() => void sweep(), options.everyMs ?? EVERY_MS).unref()
      return sweep()
    },
    async close() {
      clearInterval(timer)
      closing.abort()
      await running
    },
  }
}
