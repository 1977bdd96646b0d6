import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { FatalStartError } from '@waybill/service-kit'

/** Gives the folder back. */
export type Release = () => void

const FILE = 'data_store.lock'
/** SQLite's result code when somebody else has the lock. */
const SQLITE_BUSY = 5

/**
 * Takes a folder for this process alone, until the release or the end of the process, whatever ends it. The lock is one of the operating
 * system's on a file in the folder, which SQLite takes, for Node has no call for that: nothing is left over that a next
 * process would have to judge. It holds between containers on one volume, and over a network as far as the file system has locks.
 * @throws FatalStartError when another has it, or when the folder cannot be written to
 */
export function lockFolder(folder: string): Release {
  let file: DatabaseSync | undefined
  try {
    file = new DatabaseSync(join(folder, FILE))
    // Held for as long as the transaction is open. It writes nothing, and the file stays empty.
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    file?.close()
    const busy = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
    const why = busy
      ? 'another process has the folder, and LanceDB takes one at a time'
      : `the folder cannot be locked (${error instanceof Error ? error.message : String(error)})`
    throw new FatalStartError(`LANCEDB_PATH: ${why}.`, { cause: error })
  }
  const held = file
  return () => held.close()
}
