import { execFileSync, spawnSync } from 'node:child_process'

/** The user that PostgreSQL's processes run as: ids for `spawn`, or nothing when they run as the current user. */
export type RunAs = { uid: number; gid: number } | undefined

/**
 * PostgreSQL refuses to run as root, so root hands it to a user without privileges: `nobody`, else `postgres`.
 * Others run it as themselves (undefined). Throws when root finds neither.
 */
export function unprivilegedUser(): RunAs {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['nobody', 'postgres']) {
    try {
      const id = (flag: string) =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // No such user: try the next.
    }
  }
  throw new Error('PostgreSQL does not run as root, and this system has no user named nobody or postgres.')
}

/** Whether that user may enter the folder: asked of the kernel, as one closed parent (a /root of mode 700) is enough. */
export function canEnter(folder: string, runAs: RunAs): boolean {
  if (!runAs) return true
  return spawnSync('/bin/sh', ['-c', 'cd "$0"', folder], { ...runAs, cwd: '/', stdio: 'ignore' }).status === 0
}
