import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { connect } from '@lancedb/lancedb'
import type { Connection, Table } from '@lancedb/lancedb'
import { FatalStartError, unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { nothingDone } from '../../refusal.ts'
import { createLock } from '../lock.ts'
import { lockFolder } from './folder-lock.ts'
import type { Release } from './folder-lock.ts'
import { createMaintenance, isUnfinished } from './maintenance.ts'
import { schemaFor } from './row.ts'
import { indexTexts } from './text-index.ts'
import { upgraded } from './upgrade.ts'

/** The tables of an embedded LanceDB: one per collection and length of vector, one writer at a time in each collection. */
export interface LanceTables {
  /** Takes the folder and opens it. @throws FatalStartError when it cannot be one, or when another process has it */
  start(): Promise<void>
  /** The table of that name, see tableName(); undefined when there is none. */
  find(name: string): Promise<Table | undefined>
  /** The table of that name, made when it is not there yet. To be called by the only writer of the collection. */
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
  /** For tests of what two processes would do to each other, if both had the folder. */
  lock?: (folder: string) => Release
}

/** How many open tables are kept at hand. */
const OPEN_TABLES = 128

// Collections are checked where they enter the service; a name that is wrong panics inside the native code, so here
// nothing else gets through whoever calls.
const TABLE = /^([a-z][a-z0-9_-]{0,62})\.(0|[1-9]\d{0,5})$/
/** What the folder of a table is called from when it is dropped until it is deleted. */
const DROPPED = '.dropped'

export function createLanceTables(options: LanceTablesOptions): LanceTables {
  const { maintenanceMs, log, lock = lockFolder } = options
  const folder = resolve(options.path)
  const asWriter = createLock()
  const tables = new Map<string, Promise<Table | undefined>>()
  const maintenance = createMaintenance({
    asWriter: (name, work) => asWriter(collectionIn(name), work),
    find,
    drop,
    log,
  })
  let release: Release | undefined
  let connection: Connection | undefined
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  /**
   * What `work` makes of the table as it is at hand. One after another for each table, so that nobody opens one that is half made or half
   * dropped.
   */
  async function next<T extends Table | undefined>(
    name: string,
    work: (known: Table | undefined, connection: Connection) => T | Promise<T>,
  ): Promise<T> {
    const opened = connection
    if (!opened) throw nothingDone(unavailable('LanceDB'))
    if (!TABLE.test(name)) throw new TypeError('not the name of a table')
    const before = tables.get(name) ?? Promise.resolve(undefined)
    const table = before.catch(() => undefined).then((known) => work(known, opened))
    tables.delete(name)
    tables.set(name, table)
    const forget = () => tables.get(name) === table && tables.delete(name)
    void table.then((found) => found ?? forget(), forget)
    const [oldest] = tables.keys()
    if (tables.size > OPEN_TABLES && oldest !== undefined) tables.delete(oldest)
    return table
  }

  function find(name: string): Promise<Table | undefined> {
    return next(name, async (known, opened) => {
      if (known) return known
      const found = await opened.openTable(name).catch(async (error: unknown) => {
        if (await exists(join(folderOf(name), '_versions'))) throw error
        return undefined
      })
      return found && whole(opened, name, found)
    })
  }

  function open(name: string): Promise<Table> {
    return next(name, async (known, opened) => {
      if (known) return known
      maintenance.due(name, { erased: false })
      const made = await opened
        .createEmptyTable(name, schemaFor(dimensionsIn(name)), { existOk: true })
        // Refused when there is one with other columns.
        .catch(() => opened.openTable(name))
      return whole(opened, name, made)
    })
  }

  /** Of another name first: what is left of a folder when the process ends meanwhile is no table. */
  async function drop(name: string): Promise<void> {
    await next(name, async () => {
      const dropped = folderOf(name) + DROPPED
      await rm(dropped, { recursive: true, force: true })
      await rename(folderOf(name), dropped)
      await rm(dropped, { recursive: true })
      return undefined
    })
  }

  function folderOf(name: string): string {
    return join(folder, `${name}.lance`)
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
      await mkdir(folder, { recursive: true }).catch((error: unknown) => {
        const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
        throw new FatalStartError(`LANCEDB_PATH: the folder cannot be made (${reason}).`, { cause: error })
      })
      release ??= lock(folder)
      for (const entry of await readdir(folder)) {
        if (entry.endsWith(DROPPED)) await rm(join(folder, entry), { recursive: true })
      }
      // 0: every read sees the last write.
      connection = await connect(folder, { readConsistencyInterval: 0 })
      for await (const name of namesOf(connection)) {
        if (TABLE.test(name) && (await isUnfinished(folderOf(name)))) maintenance.due(name, { erased: true })
      }
      if (!timer) schedule()
    },
    find,
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
      release?.()
      release = undefined
    },
  }
}

function collectionIn(table: string): string {
  return TABLE.exec(table)?.[1] ?? table
}

function dimensionsIn(table: string): number {
  return Number(TABLE.exec(table)?.[2])
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function* namesOf(connection: Connection): AsyncGenerator<string> {
  let token: string | undefined
  do {
    const page = await connection.listTables(token === undefined ? {} : { pageToken: token })
    yield* page.tables
    token = page.pageToken
  } while (token)
}

/** The table with all of its columns and the index of its texts. */
async function whole(connection: Connection, name: string, found: Table): Promise<Table> {
  const schema = schemaFor(dimensionsIn(name))
  const table = await upgraded(connection, { name, table: found, schema })
  const indices = await table.listIndices()
  if (!indices.some(({ columns }) => columns.includes('text'))) await indexTexts(table)
  return table
}
