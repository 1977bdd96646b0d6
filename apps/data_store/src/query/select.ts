import type { RecordData, StoredRecord } from '../backend.ts'

/**
 * The records with the members of `data` alone that are selected (`data.title`). What a record does not have is left out.
 */
export function selectMembers(
  records: StoredRecord[],
  fields: readonly string[] | undefined,
): StoredRecord[] {
  if (!fields) return records
  const paths = fields.filter((field) => field.startsWith('data.')).map((field) => field.split('.').slice(1))
  return records.map((record) => ({ ...record, data: pick(record.data, paths) }))
}

function pick(data: RecordData, paths: readonly string[][]): RecordData {
  // Not by assignment: a member may be called __proto__.
  return Object.fromEntries(
    Object.entries(data).flatMap(([member, value]): [string, unknown][] => {
      const inside = paths.filter(([first]) => first === member).map(([, ...rest]) => rest)
      if (inside.length === 0) return []
      if (inside.some((rest) => rest.length === 0)) return [[member, value]]
      return isObject(value) ? [[member, pick(value, inside)]] : []
    }),
  )
}

function isObject(value: unknown): value is RecordData {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
