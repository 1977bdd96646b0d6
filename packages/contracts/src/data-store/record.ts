import { z } from 'zod'
import { recordId } from './names.ts'
import { recordData } from './record-data.ts'

export const record = z.object({
  id: recordId,
  data: recordData,
  /** Counted from 1; the ETag of a single record is this number in quotes. */
  version: z.int().positive(),
  /** The id of the user, or of the tenant or workspace where the collection belongs to those. */
  owner: z.string(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Record = z.output<typeof record>
