import { accessSync, constants, lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository, without a trailing slash. */
export const repositoryRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/[\\/]$/, '')

/** The folder of an app, e.g. `data_store`. */
export function appFolder(app: string): string {
  return join(repositoryRoot, 'apps', app)
}

/**
 * The folder that keeps secrets and data of development between runs: `.waybill/` of the repository, or one of this
 * user in the system's temporary folder when the repository cannot be written. Made when missing.
 */
export function stateFolder(): string {
  const own = join(repositoryRoot, '.waybill')
  return ensureFolder(own) ?? ownFolderIn(tmpdir())
}

/**
 * A folder of this user in a folder that all users share; made when missing. Throws when somebody else got there
 * first: what lies in it would be run and trusted.
 */
export function ownFolderIn(parent: string): string {
  const uid = process.getuid?.() ?? 0
  const folder = join(parent, `waybill-${uid}`)
  const made = ensureFolder(folder)
  if (!made) throw new Error(`Cannot write to ${folder}.`)
  const stat = lstatSync(folder)
  const isOurs = process.platform === 'win32' || (stat.uid === uid && (stat.mode & 0o022) === 0)
  if (!stat.isDirectory() || !isOurs) {
    throw new Error(`${folder} belongs to another user, or others may write to it. Remove it and try again.`)
  }
  return folder
}

function ensureFolder(folder: string): string | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    accessSync(folder, constants.W_OK | constants.X_OK)
    return folder
  } catch {
    return undefined
  }
}
