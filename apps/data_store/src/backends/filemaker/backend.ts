import { outliveRequest, Problem, requestContext } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { taken } from '../../backend.ts'
import type { Backend, Operation, StoredRecord } from '../../backend.ts'
import { scanCount, scanPage, scanProjection, scanSelection } from '../../query/scan.ts'
import type { Lock } from '../lock.ts'
import { allOrNone } from './all-or-none.ts'
import type { Step } from './all-or-none.ts'
import type { DataApi } from './data-api.ts'
import { CODE, FileMakerFault, hasCode } from './fault.ts'
import { deletable, ownerKey, withoutKept } from './row.ts'
import type { Deletable, KeptRecord } from './row.ts'
import { idsIn, recordsOf } from './source.ts'
import type { PageSizes } from './source.ts'
import { createWrites } from './writes.ts'

export interface FileMakerBackendOptions {
  api: DataApi
  lock: Lock
  sizes: PageSizes
  /** The longest that one call may take, in milliseconds. */
  timeoutMs: number
  /** SCAN_MAX_RECORDS. */
  maxRecords: number
  log: Logger
}

/** Only other processes and FileMaker's own users come in between. */
const ATTEMPTS = 5

/**
 * Records in a FileMaker file, by way of its Data API and one account. FileMaker knows nothing of users, has no unique keys here and
 * no transactions: the owner is in every find and is looked at again in every record, one writer per owner and layout
 * at a time keeps ids unique, modification ids tell who was first, and what fails half way is taken back.
 */
export function createFileMakerBackend(options: FileMakerBackendOptions): Backend {
  const { api, lock, sizes, timeoutMs, maxRecords, log } = options
  const writes = createWrites(api)
  const limits = { maxRecords }

  const source = (operation: Operation, ids?: readonly string[]) => recordsOf(api, operation, sizes, ids)

  async function byId(operation: Operation, ids: readonly string[]): Promise<Map<string, KeptRecord>> {
    const found = new Map<string, KeptRecord>()
    for await (const batch of source(operation, ids)) for (const record of batch) found.set(record.id, record)
    return found
  }

  /** As the only writer of this process, all or none, and from the start again when somebody else was faster. */
  async function write<T>(operation: Operation, work: (step: Step) => Promise<T>): Promise<T> {
    const key = `${operation.collection.table}\n${ownerKey(operation)}`
    return lock(key, async () => {
      for (let attempt = 1; ; attempt += 1) {
        requestContext()?.signal.throwIfAborted()
        try {
          return await allOrNone({ timeoutMs, log }, work)
        } catch (error) {
          const late = hasCode(error, CODE.changed, CODE.recordMissing)
          if (!late) throw error
          if (attempt === ATTEMPTS) throw new FileMakerFault(CODE.changed)
        }
      }
    })
  }

  /** The records are there for nobody any more; what FileMaker does not let go of now is left to sweep.ts. */
  async function removeAll(operation: Operation, records: readonly Deletable[]): Promise<void> {
    for (const record of records) {
      const remove = () => writes.remove(operation, record)
      await outliveRequest(timeoutMs, remove)
        .catch(() => outliveRequest(timeoutMs, remove))
        .catch((error: unknown) => {
          const place = { layout: operation.collection.table, record_id: record.kept.recordId }
          log.error({ err: error, ...place }, "a deleted record is still in FileMaker, as nobody's")
        })
    }
  }

  return {
    auditsWrites: false,
    searchModes: [],

    create: (operation, records, { onConflict }) =>
      write(operation, async (step) => {
        const { collection } = operation
        const ids = records.map(({ id }) => id)
        const before = await byId(operation, ids)
        if (onConflict === 'error') for (const id of ids) if (before.has(id)) taken(id, collection.name)
        const made = new Map<string, string>()
        const stored: StoredRecord[] = []
        for (const record of records) {
          const current = before.get(record.id)
          await named(record.name, async () => {
            if (current) return void stored.push(await writes.replace(step, operation, current, record.data))
            const inserted = await writes.insert(step, operation, record)
            made.set(record.id, inserted.recordId)
            stored.push(inserted.record)
          })
        }
        // Another process may have made the same id meanwhile: the first of them stays.
        const after = made.size === 0 ? before : await byId(operation, [...made.keys()])
        for (const [id, recordId] of made) {
          if (after.get(id)?.kept.recordId === recordId) continue
          if (onConflict === 'replace') throw new FileMakerFault(CODE.changed)
          taken(id, collection.name)
        }
        return stored
      }),

    async read(operation, id) {
      const record = (await byId(operation, [id])).get(id)
      return record && withoutKept(record)
    },

    async find(operation, query) {
      const records = await scanPage(source(operation, idsIn(query.filter)), query, limits)
      return records.map(withoutKept)
    },

    count: (operation, filter) => scanCount(source(operation, idsIn(filter)), filter, limits),

    update: (operation, id, change) =>
      write(operation, async (step) => {
        const current = (await byId(operation, [id])).get(id)
        return current && writes.replace(step, operation, current, change(withoutKept(current)))
      }),

    updateMany: (operation, filter, change, maxAffected) =>
      write(operation, async (step) => {
        const records = source(operation, idsIn(filter))
        const selected = await scanSelection(records, filter, { ...limits, maxAffected })
        // All of it is known to be good before any of it is written.
        const changed = selected.map((record) => ({ record, data: change(withoutKept(record)) }))
        for (const { record, data } of changed) {
          await named(`data of ${record.id}`, () => writes.replace(step, operation, record, data))
        }
        return selected.map(({ id }) => id)
      }),

    delete: (operation, id, permit) =>
      write(operation, async (step) => {
        const current = (await byId(operation, [id])).get(id)
        if (!current) return false
        permit(current)
        await writes.disown(step, operation, current)
        // It is given back to its owner when this fails.
        await step(() => writes.remove(operation, current), nothingToUndo)
        return true
      }),

    deleteMany: (operation, filter, maxAffected) =>
      write(operation, async (step) => {
        const records = source(operation, idsIn(filter))
        const selected = await scanProjection(records, filter, { ...limits, maxAffected }, deletable)
        for (const record of selected) await writes.disown(step, operation, record)
        await removeAll(operation, selected)
        return selected.map(({ id }) => id)
      }),
  }
}

const nothingToUndo = () => Promise.resolve(false)

/** What does not fit is said of the thing that it is in. */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FileMakerFault) || error.code !== 'unprocessable') throw error
    throw new Problem('unprocessable', `${name}: ${error.message}`, { cause: error })
  }
}
