import { createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { env } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'

/** The key-encryption keys by version: the first one seals, all of them open. */
export interface KeyEncryptionKeys {
  current: { version: string; key: KeyObject }
  find(version: string): KeyObject | undefined
}

const KEY_BYTES = 32
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/
/** Of 32 random bytes about 30 differ; a key of zeros or of typed text has far fewer. */
const MIN_DIFFERENT_BYTES = 16

/** The variable: judged as a whole, and kept as a Secret. What is wrong is told by version, and nothing is quoted. */
export function keyEncryptionKeysEnv() {
  return env.secret().superRefine((secret, context) => {
    const { fault } = parse(secret.reveal())
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  })
}

/** The keys of a variable that was judged. @throws Error that says what is wrong with it, and quotes nothing */
export function readKeyEncryptionKeys(variable: Secret): KeyEncryptionKeys {
  const { keys: parsed, fault } = parse(variable.reveal())
  const keys = parsed.map(({ version, key }) => ({ version, key: createSecretKey(key) }))
  const [current] = keys
  if (fault !== undefined || !current) throw new Error(`PROVIDER_KEY_ENCRYPTION_KEYS ${fault ?? 'is empty'}`)
  const byVersion = new Map(keys.map(({ version, key }) => [version, key]))
  return { current, find: (version) => byVersion.get(version) }
}

function parse(text: string): { keys: { version: string; key: Buffer }[]; fault?: string } {
  const keys: { version: string; key: Buffer }[] = []
  for (const [index, entry] of text.split(',').entries()) {
    const [version = '', value = '', ...rest] = entry.trim().split(':')
    const key = Buffer.from(value, 'base64')
    // A part without a colon may be a key: only what has the place of a name is told.
    const which = `its key ${String(index + 1)}`
    if (!VERSION.test(version) || value === '' || rest.length > 0)
      return { keys, fault: 'must look like v2:<base64 of 32 bytes>,v1:<base64 of 32 bytes>' }
    if (key.toString('base64') !== value || key.length !== KEY_BYTES)
      return { keys, fault: `must have 32 bytes in base64 for each version: ${which} has not` }
    if (isWeak(key)) return { keys, fault: `must have random keys: ${which} is none` }
    if (keys.some((other) => other.version === version))
      return { keys, fault: `must have each version once: ${which} repeats one` }
    if (keys.some((other) => other.key.equals(key)))
      return { keys, fault: `must have another key for each version: ${which} is that of another` }
    keys.push({ version, key })
  }
  return { keys }
}

/** Zeros, text that somebody typed, or bytes that count. */
function isWeak(key: Buffer): boolean {
  const steps = new Set(key.map((byte, index) => byte - (key[index - 1] ?? 0)).subarray(1))
  return (
    new Set(key).size < MIN_DIFFERENT_BYTES ||
    steps.size < MIN_DIFFERENT_BYTES / 2 ||
    key.every((byte) => byte >= 0x20 && byte < 0x7f)
  )
}
