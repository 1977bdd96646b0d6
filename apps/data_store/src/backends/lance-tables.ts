import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { connect } from '@lancedb/lancedb'
import type { Connection, Table } from '@lancedb/lancedb'
import { FatalStartError, unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow'
import { createLock } from './lock.ts'

/** The tables of an embedded LanceDB: one per collection and length of vector, one writer at a time in each collection. */
export interface LanceTables {
  /** Opens the folder. @throws FatalStartError when it cannot be one. */
  start(): Promise<void>
  /** The table for those vectors, made when it is not there yet. */
  open(collection: string, dimensions: number): Promise<Table>
  /** Runs `work` as the only writer of the collection. */
  asWriter<T>(collection: string, work: () => Promise<T>): Promise<T>
  /** Lets the next maintenance compact this table: it has been written to. */
  written(table: Table, collection: string): void
  /** Compacts what was written to, and removes versions that have been out of use for a whole period. Done every period. */
  maintain(): Promise<void>
  close(): Promise<void>
}

interface LanceTablesOptions {
  path: string
  maintenanceMs: number
  log: Logger
  now?: () => number
}

/** How many open tables are kept at hand. */
const OPEN_TABLES = 128

// Collections are checked where they enter the service; a name that is wrong panics inside the native code, so here
// nothing else gets through whoever calls.
const COLLECTION = /^[a-z][a-z0-9_-]{0,62}$/

export function createLanceTables({
  path,
  maintenanceMs,
  log,
  now = Date.now,
}: LanceTablesOptions): LanceTables {
  const asWriter = createLock()
  const tables = new Map<string, Promise<Table>>()
  const dirty = new Map<Table, string>()
  let connection: Connection | undefined
  let timer: NodeJS.Timeout | undefined

  async function maintain(): Promise<void> {
    const due = [...dirty]
    dirty.clear()
    for (const [table, collection] of due) {
      // A read that is under way may still be on the version before; it has a whole period to end.
      const cleanupOlderThan = new Date(now() - maintenanceMs)
      await asWriter(collection, () => table.optimize({ cleanupOlderThan })).catch((error: unknown) => {
        log.warn({ err: error, collection }, 'a LanceDB table could not be compacted')
      })
    }
  }

  return {
    asWriter,
    maintain,
    async start() {
      const folder = resolve(path)
      await mkdir(folder, { recursive: true }).catch((error: unknown) => {
        const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
        throw new FatalStartError(`LANCEDB_PATH: the folder cannot be made (${reason}).`, { cause: error })
      })
      // 0: every read sees the last write.
      connection = await connect(folder, { readConsistencyInterval: 0 })
      timer ??= setInterval(() => void maintain(), maintenanceMs).unref()
    },
    async open(collection, dimensions) {
      if (!connection) throw unavailable('LanceDB')
      if (!COLLECTION.test(collection)) throw new TypeError('not the name of a collection')
      const name = `${collection}.${String(dimensions)}`
      const table =
        tables.get(name) ?? connection.createEmptyTable(name, schemaFor(dimensions), { existOk: true })
      tables.delete(name)
      tables.set(name, table)
      const [oldest] = tables.keys()
      if (tables.size > OPEN_TABLES && oldest !== undefined) tables.delete(oldest)
      table.catch(() => tables.delete(name))
      return table
    },
    written(table, collection) {
      dirty.set(table, collection)
    },
    async close() {
      clearInterval(timer)
      const open = connection
      connection = undefined
      for (const collection of new Set(dirty.values())) await asWriter(collection, () => Promise.resolve())
      open?.close()
    },
  }
}

function schemaFor(dimensions: number): Schema {
  const text = (name: string) => new Field(name, new Utf8(), false)
  const vector = new FixedSizeList(dimensions, new Field('item', new Float32(), true))
  return new Schema([
    text('owner'),
    text('id'),
    text('data'),
    new Field('vector', vector, false),
    new Field('version', new Int32(), false),
    text('created_at'),
    text('updated_at'),
  ])
}
