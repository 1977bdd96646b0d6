import { ConfigError } from '@waybill/service-kit'
import type { Collection } from '../../collections/collection.ts'
import { FIELD } from './row.ts'

const OWN = new Set<string>(Object.values(FIELD))

/**
 * FileMaker knows no case in names: a member in the field `Owner` would say whose the record is, and two collections in one
 * layout would be one.
 * @throws ConfigError naming the collection that cannot be kept so
 */
export function checkDeclared(collections: readonly Collection[]): void {
  const layouts = new Map<string, string>()
  for (const { name, table, fields } of collections) {
    const other = layouts.get(table.toLowerCase())
    if (other !== undefined) throw wrong(`${name} and ${other} are in one FileMaker layout, ${table}`)
    layouts.set(table.toLowerCase(), name)
    const used = new Set(OWN)
    for (const [member, field] of Object.entries(fields)) {
      const folded = field.toLowerCase()
      if (used.has(folded))
        throw wrong(`${name}: the FileMaker field ${field} is not free for the member ${member}`)
      used.add(folded)
    }
  }
}

function wrong(message: string): ConfigError {
  return new ConfigError([{ variable: 'COLLECTIONS_FILE', message }])
}
