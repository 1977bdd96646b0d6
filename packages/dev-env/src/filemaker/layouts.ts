import type { DeclaredCollection } from '../collections-file.ts'
import type { EmulatorOptions } from './emulator.ts'
import type { FieldDefinition } from './table.ts'

const OWN_FIELDS = ['owner', 'record_id', 'created_at', 'updated_at', 'data']

/** The layouts that data_store expects in the FileMaker file of these collections. */
export function layoutsOf(collections: readonly DeclaredCollection[]): EmulatorOptions['layouts'] {
  const layouts: Record<string, FieldDefinition[]> = {}
  for (const { name, backends, schema, filemaker = {} } of collections) {
    if (!backends.includes('filemaker')) continue
    const native = Object.entries(filemaker.fields ?? {}).map(([member, field]): FieldDefinition => {
      const type = schema?.properties?.[member]?.type
      return {
        name: field,
        type: type === 'number' || type === 'integer' || type === 'boolean' ? 'number' : 'text',
      }
    })
    const own = OWN_FIELDS.map((field): FieldDefinition => ({ name: field, type: 'text' }))
    layouts[filemaker.layout ?? name] = [...own, ...native]
  }
  return layouts
}
