import { hkdfSync, randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stateFolder } from './folders.ts'

/** The secrets of a development platform; all stay the same as long as its state folder does. */
export interface Secrets {
  /** 32 bytes in base64url: what a service proves itself with (SERVICE_SECRET). */
  serviceSecret: (service: string) => string
  /** 32 bytes in base64: what auth-service's signing keys are encrypted with at rest. */
  signingKeyEncryptionKey: string
  /** 32 bytes in base64: what the users' provider keys are encrypted with at rest in llm-proxy. */
  providerKeyEncryptionKey: string
  /** 32 bytes in base64url: the secret of the Supabase project that stands beside the platform. */
  supabaseSecret: string
  /** The password of a login role of Postgres. */
  databasePassword: (role: string) => string
  /** The password of a seeded account. */
  accountPassword: (username: string) => string
}

const BYTES = 32
const FILE = 'root-secret'

/**
 * The secrets kept in a folder, made there at the first call: one random root (32 bytes, mode 600) from which the
 * others are derived (HKDF, RFC 5869), so that a new service needs no new file, and processes that start together
 * agree: whoever links the file first has written it. For development only. Throws when the file is damaged.
 */
export function loadSecrets(folder: string = stateFolder()): Secrets {
  const root = readOrCreateRoot(folder)
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', root, '', `waybill/${purpose}`, BYTES))
  return {
    serviceSecret: (service) => derive(`service/${service}`).toString('base64url'),
    signingKeyEncryptionKey: derive('signing-key-encryption').toString('base64'),
    providerKeyEncryptionKey: derive('provider-key-encryption').toString('base64'),
    supabaseSecret: derive('supabase').toString('base64url'),
    databasePassword: (role) => derive(`database/${role}`).toString('base64url'),
    // The ending satisfies composition rules too, should PASSWORD_POLICY ask for them.
    accountPassword: (username) => `${derive(`account/${username}`).toString('base64url').slice(0, 24)}-aA1`,
  }
}

function readOrCreateRoot(folder: string): Buffer {
  const file = join(folder, FILE)
  const existing = readRoot(file)
  if (existing) return existing
  mkdirSync(folder, { recursive: true })
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  writeFileSync(draft, `${randomBytes(BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  try {
    // A link is all or nothing and never replaces: a reader sees a whole file, and the first writer wins.
    linkSync(draft, file)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  } finally {
    rmSync(draft, { force: true })
  }
  const root = readRoot(file)
  if (!root) throw new Error(`${file} was removed while it was being made.`)
  return root
}

function readRoot(file: string): Buffer | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  const root = Buffer.from(text.trim(), 'base64url')
  if (root.length < BYTES) {
    throw new Error(
      `${file} is damaged: it should hold ${BYTES} bytes in base64url. Remove it and the data beside it.`,
    )
  }
  chmodSync(file, 0o600)
  return root
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
