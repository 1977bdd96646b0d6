import { readText, writeWhole } from '../certs/files.ts'
import type { TableContents } from './table.ts'

/** What of the tables stays between runs, in one file. */
export interface KeptFile {
  /** What the table of a layout had when the file was opened. */
  contentsOf(layout: string): TableContents | undefined
  /** To be told of every change: it is written down soon after. */
  changed(): void
  /** Writes down what has changed since. Throws when that cannot be done. */
  close(): void
}

/** How long changes are gathered before they are written. */
const GATHER_MS = 200

type Contents = Record<string, TableContents>

/**
 * Opens the file, which need not be there yet; it is written whole or not at all. `contents` gives what all tables have then; what
 * is kept of layouts that are not declared any more stays. Throws an error that names the file when it is damaged.
 */
export function openKeptFile(path: string, contents: () => Contents): KeptFile {
  const earlier = read(path)
  let unwritten = false
  let timer: NodeJS.Timeout | undefined
  const write = () => {
    clearTimeout(timer)
    timer = undefined
    writeWhole(path, JSON.stringify({ layouts: { ...earlier, ...contents() } }), 0o600)
    unwritten = false
  }
  const writeSoon = () => {
    try {
      write()
    } catch {
      // No reason to end for; the next change tries again, and close() says what is wrong.
    }
  }
  return {
    contentsOf: (layout) => (Object.hasOwn(earlier, layout) ? earlier[layout] : undefined),
    changed() {
      unwritten = true
      timer ??= setTimeout(writeSoon, GATHER_MS)
    },
    close() {
      if (unwritten) write()
    },
  }
}

function read(path: string): Contents {
  const text = readText(path)
  if (text === undefined) return {}
  try {
    const kept = (JSON.parse(text) as { layouts: Contents }).layouts // as write() has made it
    for (const { records } of Object.values(kept)) if (!Array.isArray(records)) throw new TypeError()
    return kept
  } catch (error) {
    throw new Error(`${path} is damaged: the records of FileMaker cannot be read from it. Remove it.`, {
      cause: error,
    })
  }
}
