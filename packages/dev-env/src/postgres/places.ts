import { createHash } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { ownFolderIn, stateFolder } from '../folders.ts'
import { canEnter, type RunAs } from './run-as.ts'

/** Where the template cluster (and, if need be, a copy of the binaries) is kept between runs. */
export function cacheFolder(runAs: RunAs): string {
  return firstEnterable([stateFolder, ...sharedFolders([tmpdir(), '/var/tmp'])], runAs)
}

/** Where clusters live that are thrown away: the temporary folder, which may well be memory. */
export function ephemeralFolder(runAs: RunAs): string {
  return firstEnterable([...sharedFolders([tmpdir(), '/var/tmp'])], runAs)
}

/**
 * Where a cluster that is kept really lies: in `wanted`, unless PostgreSQL's user may not go there (root, in a home
 * of mode 700); then in /var/tmp, which survives a restart, under a name made from `wanted`.
 */
export function persistentFolder(wanted: string, runAs: RunAs): string {
  mkdirSync(dirname(wanted), { recursive: true })
  const parent = realpathSync(dirname(wanted))
  if (canEnter(parent, runAs)) return wanted
  const shared = firstEnterable(sharedFolders(['/var/tmp', tmpdir()]), runAs)
  return join(
    shared,
    `postgres-${createHash('sha256')
      .update(join(parent, basename(wanted)))
      .digest('hex')
      .slice(0, 16)}`,
  )
}

/** Gives a folder to PostgreSQL's user. PostgreSQL insists on mode 700 or 750. */
export function handOver(folder: string, runAs: RunAs): void {
  if (runAs) chownSync(folder, runAs.uid, runAs.gid)
}

function sharedFolders(parents: readonly string[]): (() => string)[] {
  return [...new Set(parents)]
    .filter((parent) => existsSync(parent))
    .map((parent) => () => ownFolderIn(parent))
}

function firstEnterable(candidates: readonly (() => string)[], runAs: RunAs): string {
  const tried: string[] = []
  for (const candidate of candidates) {
    const folder = candidate()
    if (canEnter(folder, runAs)) return folder
    tried.push(folder)
  }
  throw new Error(`PostgreSQL's user (uid ${runAs?.uid ?? 'own'}) may enter none of: ${tried.join(', ')}.`)
}
