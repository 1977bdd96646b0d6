import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { repositoryRoot } from './folders.ts'

/** Of a declared collection, what the stores that stand beside the platform depend on; see COLLECTIONS_FILE of data_store. */
export interface DeclaredCollection {
  name: string
  backends: readonly string[]
  scope?: 'user' | 'tenant' | 'workspace'
  schema?: { properties?: Readonly<Record<string, { type?: unknown }>> }
  supabase?: { table?: string }
  filemaker?: { layout?: string; fields?: Readonly<Record<string, string>> }
}

/** The collections that the platform has unless COLLECTIONS_FILE names others. */
export const collectionsFile = fileURLToPath(new URL('../collections.json', import.meta.url))

/**
 * Where the collections of the platform are declared. A relative path is of the root of the repository, whoever reads it: services
 * run in folders of their own.
 */
export function collectionsFileOf(env: NodeJS.ProcessEnv): string {
  const { COLLECTIONS_FILE: named } = env
  if (named === undefined || named.trim() === '') return collectionsFile
  return resolve(repositoryRoot, named)
}

/**
 * The collections that a file declares, checked as far as they are used here; data_store checks the whole of it when it starts.
 * Throws an error that names the file and what is wrong with it.
 */
export function readCollections(file: string): DeclaredCollection[] {
  const wrong = (message: string, cause?: unknown) =>
    new Error(`COLLECTIONS_FILE ${file} ${message}.`, { cause })
  let declared: unknown
  try {
    declared = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong('is not JSON', error)
    throw wrong(`cannot be read (${error instanceof Error ? error.message : String(error)})`, error)
  }
  const collections = isObject(declared) ? declared.collections : undefined
  if (!Array.isArray(collections)) throw wrong('has no list `collections`')
  return collections.map((collection: unknown, at) => {
    const fault = faultIn(collection)
    if (fault !== undefined) throw wrong(`has in collections.${at} ${fault}`)
    return collection as DeclaredCollection // looked at just now
  })
}

const SCOPES: readonly unknown[] = [undefined, 'user', 'tenant', 'workspace']

function faultIn(collection: unknown): string | undefined {
  if (!isObject(collection)) return 'no object'
  const { name, backends, scope, schema = {}, supabase = {}, filemaker = {} } = collection
  if (typeof name !== 'string') return 'no `name`'
  if (!Array.isArray(backends) || !backends.every(isText)) return 'no list `backends` of names'
  if (!SCOPES.includes(scope)) return 'a `scope` that is none of user, tenant, workspace'
  if (!isObject(schema)) return 'a `schema` that is no object'
  if (!isObject(supabase) || !isTextIfAny(supabase.table)) return 'a `supabase.table` that is no text'
  if (!isObject(filemaker) || !isTextIfAny(filemaker.layout)) return 'a `filemaker.layout` that is no text'
  const { fields = {} } = filemaker
  if (!isObject(fields) || !Object.values(fields).every(isText)) return '`filemaker.fields` that are no names'
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isTextIfAny(value: unknown): boolean {
  return value === undefined || isText(value)
}
