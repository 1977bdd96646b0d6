import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Table } from '@lancedb/lancedb'
import type { Logger } from '@waybill/service-kit'
import type { Lock } from '../lock.ts'
import { indexTexts } from './text-index.ts'

/** What keeps the tables' files small, rids them of what was deleted, and drops the tables that are empty. */
export interface Maintenance {
  /** The next run is to see to that table: it is written to. One that is written to often is compacted sooner. */
  due(table: string, what: { erased: boolean }): void
  /** The tables that are due. */
  names(): string[]
  /**
   * One run, for every table that is due. Rows that were deleted or overwritten before it are in no file that the table then
   * uses; files that the run before took out of use are deleted. With runs a period apart, what was deleted is thus off the disk in
   * two periods, and whoever reads has one to end. A table with which it fails stays due. For a row that is erased all rows of its
   * table are written anew, once a run, and its collection takes no other write meanwhile.
   */
  run(): Promise<void>
}

interface Due {
  /** How many writes since its files were last compacted. */
  writes: number
  /** Whether rows have been deleted or overwritten since the table was last written anew. */
  erased: boolean
  /** Versions before this time were out of use when the last run had ended. */
  inUseSince?: Date
}

interface MaintenanceOptions {
  asWriter: Lock
  find: (table: string) => Promise<Table | undefined>
  drop: (table: string) => Promise<void>
  log: Logger
}

/** Each write adds a file, and every read and write looks at all of them. */
const WRITES_BETWEEN_COMPACTIONS = 100
/** As a cutoff: older than any version. */
const NEVER = new Date(0)

export function createMaintenance({ asWriter, find, drop, log }: MaintenanceOptions): Maintenance {
  const tables = new Map<string, Due>()

  async function maintain(name: string, state: Due): Promise<void> {
    const table = await find(name)
    // Not by the first run after the last deletion: whoever reads has a period to end.
    const empty = table && !state.erased && (await table.countRows()) === 0
    if (empty) await drop(name)
    if (!table || empty) {
      tables.delete(name)
      return
    }
    if (state.erased) {
      // A deletion only marks rows, and compaction leaves a file as it is while less than a tenth of it is marked.
      await table.update({ where: 'true', valuesSql: { version: 'version' } })
      // An index keeps the words of rows that are gone.
      await indexTexts(table)
      state.erased = false
    }
    await table.optimize({
      cleanupOlderThan: state.inUseSince ?? NEVER,
      // Also what a commit that failed has left behind.
      deleteUnverified: state.inUseSince !== undefined,
    })
    state.writes = 0
    const versions = await table.listVersions()
    if (versions.length < 2) tables.delete(name)
    else state.inUseSince = versions.at(-1)?.timestamp
  }

  async function compact(name: string, state: Due): Promise<void> {
    if (state.writes < WRITES_BETWEEN_COMPACTIONS) return
    state.writes = 0
    await (await find(name))?.optimize({ cleanupOlderThan: NEVER })
  }

  /** As the only writer of the table; that it failed is in the log. */
  async function attempt(name: string, work: () => Promise<void>): Promise<void> {
    await asWriter(name, work).catch((error: unknown) => {
      log.warn({ err: error, table: name }, 'a LanceDB table could not be compacted')
    })
  }

  return {
    due(name, { erased }) {
      const state = tables.get(name) ?? { erased, writes: 0 }
      tables.set(name, state)
      state.erased ||= erased
      state.writes += 1
      if (state.writes === WRITES_BETWEEN_COMPACTIONS) void attempt(name, () => compact(name, state))
    },
    names: () => [...tables.keys()],
    async run() {
      for (const [name, state] of [...tables]) await attempt(name, () => maintain(name, state))
    },
  }
}

/**
 * Whether the process before this one left something to do in the folder of a table. When maintenance has come to its end there is one
 * version, no row is marked as deleted, and the table is not empty.
 */
export async function isUnfinished(folder: string): Promise<boolean> {
  const [versions, deletions, data] = await Promise.all(
    ['_versions', '_deletions', 'data'].map((part) => readdir(join(folder, part)).catch(() => [])),
  )
  const manifests = versions?.filter((name) => name.endsWith('.manifest'))
  return manifests?.length !== 1 || deletions?.length !== 0 || data?.length === 0
}
