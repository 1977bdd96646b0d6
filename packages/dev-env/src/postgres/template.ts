import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { publish, type Binaries } from './binaries.ts'
import { cacheFolder, handOver } from './places.ts'
import type { RunAs } from './run-as.ts'

/** In the cluster's own folder, so that the superuser's password travels with every copy of it. */
const PASSWORD_FILE = 'waybill-superuser'

/** Nobody gets in without a password, from nowhere but this machine. */
const HBA = 'host all all 127.0.0.1/32 scram-sha-256\n'

/**
 * Makes `folder` (missing or empty) a fresh cluster: a copy of a template that initdb makes once per version of
 * PostgreSQL and user. Copying takes a twentieth of a second, initdb one. Safe with many processes at once, and a
 * cluster is there whole or not at all.
 */
export function createCluster(folder: string, binaries: Binaries, runAs: RunAs): void {
  const template = join(cacheFolder(runAs), `template-${binaries.version}-${runAs?.uid ?? 'own'}`)
  if (!existsSync(template)) makeTemplate(template, binaries, runAs)
  mkdirSync(dirname(folder), { recursive: true })
  const draft = mkdtempSync(`${folder}-`)
  // -a keeps owner and modes, both of which PostgreSQL checks.
  execFileSync('cp', ['-a', `${template}/.`, draft])
  renameSync(draft, folder)
}

/** The password of the superuser `postgres` of a cluster made by createCluster. */
export function superuserPassword(folder: string): string {
  return readFileSync(join(folder, PASSWORD_FILE), 'utf8').trim()
}

function makeTemplate(template: string, binaries: Binaries, runAs: RunAs): void {
  const draft = mkdtempSync(`${template}-`)
  const passwordFile = `${draft}.password`
  const password = randomBytes(24).toString('base64url')
  try {
    handOver(draft, runAs)
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' })
    handOver(passwordFile, runAs)
    const flags = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--no-sync']
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    execFileSync(
      binaries.initdb,
      ['-D', draft, ...flags, ...locale, '--wal-segsize=1', '--no-instructions'],
      {
        ...runAs,
        cwd: '/',
        stdio: 'pipe',
      },
    )
    for (const [name, text] of [
      [PASSWORD_FILE, `${password}\n`],
      ['pg_hba.conf', HBA],
    ] as const) {
      writeFileSync(join(draft, name), text, { mode: 0o600 })
      handOver(join(draft, name), runAs)
    }
    publish(draft, template)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  } finally {
    rmSync(passwordFile, { force: true })
  }
}
