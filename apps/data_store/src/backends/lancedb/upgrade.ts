import type { Connection, Table } from '@lancedb/lancedb'
import type { Schema } from 'apache-arrow'
import type { RecordData } from '../../backend.ts'
import { textsIn } from './row.ts'

interface RowWithoutText {
  owner: string
  data: string
  vector: Iterable<number>
}

/**
 * The table as `schema` has it. One of the time before collections had scopes and text was searched is written anew: its
 * owners were users. In one commit, so that it is the one or the other whatever happens.
 */
export async function upgraded(
  connection: Connection,
  { name, table, schema }: { name: string; table: Table; schema: Schema },
): Promise<Table> {
  const { fields } = await table.schema()
  if (fields.some((field) => field.name === 'text')) return table
  const found = (await table.query().toArray()) as RowWithoutText[] // the columns of that time
  const rows = found.map((row) => ({
    ...row,
    owner: `user:${row.owner}`,
    text: textsIn(JSON.parse(row.data) as RecordData).join('\n'), // written by toRow
    vector: Float32Array.from(row.vector),
  }))
  return rows.length === 0
    ? connection.createEmptyTable(name, schema, { mode: 'overwrite' })
    : connection.createTable(name, rows, { mode: 'overwrite', schema })
}
