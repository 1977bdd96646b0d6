import type { Collection } from './collection.ts'
import { DEFAULTS, wrong } from './declarations.ts'
import type { Declaration } from './declarations.ts'
import { anyObject, compileSchema } from './schema.ts'

/** The collections that there are. */
export interface Collections {
  /** Undefined where it would have to be declared and is not. */
  find(backend: string, name: string): Collection | undefined
  /** Those that are declared in a backend, in the order of their declaration. */
  list(backend: string): readonly Collection[]
  /** Whether a collection begins with its first record there, declared or not. */
  takesUndeclared(backend: string): boolean
}

interface CollectionsOptions {
  declarations: readonly Declaration[]
  /** The backends that there are. */
  backends: readonly string[]
  /** Those in which a collection need not be declared. */
  undeclared: readonly string[]
}

/**
 * @throws ConfigError naming a collection that is declared twice, for no backend that there is, in the table of another, or with a
 *   schema that is none
 */
export function createCollections(options: CollectionsOptions): Collections {
  const { declarations, backends, undeclared } = options
  const declared = new Map<string, Map<string, Collection>>(backends.map((backend) => [backend, new Map()]))
  for (const declaration of declarations) {
    const { name } = declaration
    for (const backend of declaration.backends) {
      const there = declared.get(backend)
      if (!there) throw wrong(`${name}: there is no backend ${backend}; there is ${backends.join(', ')}`)
      if (there.has(name)) throw wrong(`${name} is declared twice for ${backend}`)
      const collection = collectionOf(declaration, backend)
      if (backend === 'supabase') refuseSharedTable(collection, there.values())
      there.set(name, collection)
    }
  }
  return {
    find(backend, name) {
      const found = declared.get(backend)?.get(name)
      return found ?? (undeclared.includes(backend) ? byDefault(backend, name) : undefined)
    },
    list: (backend) => [...(declared.get(backend)?.values() ?? [])],
    takesUndeclared: (backend) => undeclared.includes(backend),
  }
}

function collectionOf(declaration: Declaration, backend: string): Collection {
  const {
    name,
    scope,
    permissions,
    require_if_match: requireIfMatch,
    schema,
    supabase,
    filemaker,
  } = declaration
  const table =
    backend === 'supabase' ? supabase.table : backend === 'filemaker' ? filemaker.layout : undefined
  return {
    backend,
    name,
    scope,
    permissions,
    requireIfMatch,
    schema,
    validate: schema ? checkOf(name, schema) : anyObject,
    table: table ?? name,
    fields: filemaker.fields,
  }
}

/** Two collections in one table would be one, with the scope of whichever made it. */
function refuseSharedTable({ name, table }: Collection, others: Iterable<Collection>): void {
  const other = [...others].find((one) => one.table === table)
  if (other) throw wrong(`${name} and ${other.name} are in one Supabase table, ${table}`)
}

function byDefault(backend: string, name: string): Collection {
  return { ...DEFAULTS, backend, name, requireIfMatch: false, validate: anyObject, table: name, fields: {} }
}

function checkOf(name: string, schema: Record<string, unknown>): Collection['validate'] {
  try {
    return compileSchema(schema)
  } catch (error) {
    throw wrong(`the schema of ${name}: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
