import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { connect } from '@lancedb/lancedb'
import type { Connection, Table } from '@lancedb/lancedb'
import { FatalStartError, unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow'
import { createLock } from '../lock.ts'
import { createMaintenance } from './maintenance.ts'
import { indexTexts } from './text-index.ts'
import { upgraded } from './upgrade.ts'

/** The tables of an embedded LanceDB: one per collection and length of vector, one writer at a time in each collection. */
export interface LanceTables {
  /** Opens the folder. @throws FatalStartError when it cannot be one. */
  start(): Promise<void>
  /** The table of that name, see tableName(); made when it is not there yet. */
  open(name: string): Promise<Table>
  /** Runs `work` as the only writer of the collection. */
  asWriter<T>(collection: string, work: () => Promise<T>): Promise<T>
  /** Said before every write: the next maintenance is to see to that table. `erases` when rows are deleted or overwritten. */
  writing(table: string, what: { erases: boolean }): void
  /** Done by itself every `maintenanceMs`; see createMaintenance. */
  maintain(): Promise<void>
  close(): Promise<void>
}

/** The table of a collection's records with vectors of that length; 0 for those that have none. */
export function tableName(collection: string, dimensions: number): string {
  return `${collection}.${String(dimensions)}`
}

interface LanceTablesOptions {
  path: string
  maintenanceMs: number
  log: Logger
}

/** How many open tables are kept at hand. */
const OPEN_TABLES = 128

// Collections are checked where they enter the service; a name that is wrong panics inside the native code, so here
// nothing else gets through whoever calls.
const TABLE = /^([a-z][a-z0-9_-]{0,62})\.(0|[1-9]\d{0,5})$/

export function createLanceTables({ path, maintenanceMs, log }: LanceTablesOptions): LanceTables {
  const asWriter = createLock()
  const tables = new Map<string, Promise<Table>>()
  const maintenance = createMaintenance({
    asWriter: (name, work) => asWriter(collectionIn(name), work),
    open,
    log,
  })
  let connection: Connection | undefined
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  async function open(name: string): Promise<Table> {
    if (!connection) throw unavailable('LanceDB')
    const [, , dimensions] = TABLE.exec(name) ?? []
    if (dimensions === undefined) throw new TypeError('not the name of a table')
    const table = tables.get(name) ?? openOrCreate(connection, name, Number(dimensions))
    tables.delete(name)
    tables.set(name, table)
    const [oldest] = tables.keys()
    if (tables.size > OPEN_TABLES && oldest !== undefined) tables.delete(oldest)
    table.catch(() => tables.delete(name))
    return table
  }

  function maintain(): Promise<void> {
    running = running.then(() => maintenance.run())
    return running
  }

  /** A period begins when the run before has ended, so that no read has less than one to end in. */
  function schedule(): void {
    timer = setTimeout(() => void maintain().then(() => connection && schedule()), maintenanceMs).unref()
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
      // What the process before this one deleted may be on the disk still.
      for await (const name of namesOf(connection)) {
        if (TABLE.test(name)) maintenance.due(name, { erased: true })
      }
      if (!timer) schedule()
    },
    open,
    writing(table, { erases }) {
      maintenance.due(table, { erased: erases })
    },
    async close() {
      clearTimeout(timer)
      const closing = connection
      connection = undefined
      await running
      const written = new Set(maintenance.names().map(collectionIn))
      for (const collection of written) await asWriter(collection, () => Promise.resolve())
      closing?.close()
    },
  }
}

function collectionIn(table: string): string {
  return TABLE.exec(table)?.[1] ?? table
}

async function* namesOf(connection: Connection): AsyncGenerator<string> {
  let token: string | undefined
  do {
    const page = await connection.listTables(token === undefined ? {} : { pageToken: token })
    yield* page.tables
    token = page.pageToken
  } while (token)
}

async function openOrCreate(connection: Connection, name: string, dimensions: number): Promise<Table> {
  const schema = schemaFor(dimensions)
  // Refused when there is one with other columns.
  const found = await connection
    .createEmptyTable(name, schema, { existOk: true })
    .catch(() => connection.openTable(name))
  const table = await upgraded(connection, { name, table: found, schema })
  const indices = await table.listIndices()
  if (!indices.some(({ columns }) => columns.includes('text'))) await indexTexts(table)
  return table
}

function schemaFor(dimensions: number): Schema {
  const text = (name: string) => new Field(name, new Utf8(), false)
  const vector = (length: number) =>
    new Field('vector', new FixedSizeList(length, new Field('item', new Float32(), true)), false)
  return new Schema([
    text('owner'),
    text('id'),
    text('data'),
    text('text'),
    ...(dimensions > 0 ? [vector(dimensions)] : []),
    new Field('version', new Int32(), false),
    text('created_at'),
    text('updated_at'),
  ])
}
