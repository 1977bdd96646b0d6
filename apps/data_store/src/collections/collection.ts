import type { dataStore } from '@waybill/contracts'
import type { z } from 'zod'
import type { RecordData } from '../backend.ts'

/** Whose records a collection holds: each user's own, or those of everybody in a tenant or in a workspace. */
export type OwnerScope = z.output<typeof dataStore.ownerScope>

/** A collection in one backend, as it was declared, or as the defaults are where it need not be. */
export interface Collection {
  backend: string
  name: string
  scope: OwnerScope
  permissions: { read: string; write: string }
  /** Nothing is changed or deleted without If-Match. */
  requireIfMatch: boolean
  /** The JSON Schema of `data`; undefined where any object is taken. */
  schema?: Record<string, unknown> | undefined
  /**
   * Makes sure that `data`, which messages call `name`, is as the schema has it.
   * @throws Problem `unprocessable`, naming the place
   */
  validate(data: RecordData, name: string): void
  /** Which table of a Supabase schema, or which layout of a FileMaker file, it is kept in; its name unless said. */
  table: string
  /** Members of `data` that have a field of their own in a FileMaker layout, by member. */
  fields: Readonly<Record<string, string>>
}
