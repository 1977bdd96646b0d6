import type { dataStore } from '@waybill/contracts'

/** What a list is ordered by. */
export interface SortKey {
  /** As dataStore.fieldName has it: `id`, `created_at`, `data.title`. */
  field: string
  descending: boolean
}

/**
 * A value as it is ordered: its rank (0 number, 1 text, 2 boolean, 3 array or object, 4 null or missing), then within the rank.
 * Arrays and objects are all alike.
 */
export type SortValue = [0, number] | [1, string] | [2, boolean] | [3] | [4]

/** Where a page ended: the values of its last record, one for each sort key. */
export type Position = readonly SortValue[]

/** What is asked of a collection. */
export interface Query {
  filter: dataStore.Filter | undefined
  /** Never empty; the last one is always the id, so that no two records are alike. */
  order: readonly SortKey[]
  /** Only records that come after this one in that order. */
  after: Position | undefined
  limit: number
  /** Whether `data` has its vector, where the backend keeps one. */
  includeVector: boolean
}
