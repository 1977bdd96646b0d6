import { readFileSync } from 'node:fs'
import { dataStore } from '@waybill/contracts'
import { ConfigError } from '@waybill/service-kit'
import { z } from 'zod'

const PERMISSION = /^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*$/
const permission = z.string().regex(PERMISSION, 'must be a permission, such as memory.read')
const storedName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]{0,62}$/, 'must be a plain name')
/** Whatever a layout may be called (Claris: at most 100 characters) that can stand in a path. */
const layoutName = z
  .string()
  .regex(/^(?!\.{1,2}$)(?!\s)[^\p{Cc}\p{Cs}]{1,100}(?<!\s)$/u, 'must be the name of a layout')

/** What everybody may expect of a collection about which nothing else is said. */
export const DEFAULTS = {
  scope: 'user',
  permissions: { read: 'memory.read', write: 'memory.write' },
} as const

const declaration = z.strictObject({
  name: dataStore.collectionName,
  backends: z.array(dataStore.backendName).min(1),
  scope: dataStore.ownerScope.default(DEFAULTS.scope),
  permissions: z
    .strictObject({
      read: permission.default(DEFAULTS.permissions.read),
      write: permission.default(DEFAULTS.permissions.write),
    })
    .default(DEFAULTS.permissions),
  require_if_match: z.boolean().default(false),
  schema: z.record(z.string(), z.unknown()).optional(),
  supabase: z.strictObject({ table: storedName.optional() }).default({}),
  filemaker: z
    .strictObject({
      layout: layoutName.optional(),
      fields: z.record(z.string().min(1), storedName).default({}),
    })
    .default({ fields: {} }),
})

/** One entry of the file: a collection, in one or several backends. */
export type Declaration = z.output<typeof declaration>

const file = z.strictObject({ collections: z.array(declaration) })

/**
 * The collections that the file at `path` declares; none when there is no path.
 * @throws ConfigError saying what is wrong with the file, and where in it
 */
export function readDeclarations(path: string): Declaration[] {
  if (path === '') return []
  const parsed = file.safeParse(json(text(path)))
  if (parsed.success) return parsed.data.collections
  const [issue] = parsed.error.issues
  throw wrong([issue?.path.join('.'), issue?.message].filter(Boolean).join(': '))
}

/** What is wrong with the file, as a start that fails says it. */
export function wrong(message: string, cause?: unknown): ConfigError {
  const error = new ConfigError([{ variable: 'COLLECTIONS_FILE', message }])
  error.cause = cause
  return error
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw wrong(`cannot be read (${reason})`, error)
  }
}

function json(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw wrong('is not JSON', error)
  }
}
