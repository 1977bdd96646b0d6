import type { dataStore } from '@waybill/contracts'
import type { AuditEntry } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { z } from 'zod'
import type { Collection } from './collections/collection.ts'
import type { Query } from './query/query.ts'

/** What a user keeps: any JSON object. */
export type RecordData = Record<string, unknown>

/** A record that is to be. Id and data arrive checked. */
export interface NewRecord {
  id: string
  data: RecordData
  /** What messages call `data`: `records[3].data`, say. */
  name: string
}

/** A record as every backend gives it back; times in ISO 8601. */
export interface StoredRecord {
  id: string
  data: RecordData
  version: number
  owner: string
  created_at: string
  updated_at: string
}

/** An action on a collection: whose records are meant comes from here and from nowhere else. */
export interface Operation {
  principal: UserPrincipal
  collection: Collection
  /** The id of the user, or of the tenant or workspace where the collection belongs to those. */
  owner: string
  /** What the audit row of its success says, for a backend that writes that row itself. */
  succeeded: AuditEntry
}

/**
 * Makes the data that a record is to have of the record as it is; what it throws leaves the record alone. It may be called
 * again, when somebody else was faster.
 */
export type Change = (current: StoredRecord) => RecordData

/** Throws when a record may not be deleted as it is. */
export type Permit = (current: Pick<StoredRecord, 'version'>) => void

/** What POST .../search can be asked for. */
export type SearchMode = z.output<typeof dataStore.searchMode>

export interface SearchRequest {
  text: string | undefined
  vector: readonly number[] | undefined
  limit: number
  includeVector: boolean
}

export interface CreateOptions {
  includeVector: boolean
  /** What becomes of an id that the owner has already: Problem `conflict`, or the record gets the new data and the next version. */
  onConflict: 'error' | 'replace'
}

/**
 * A place where records are kept. Whatever it is, it shows and touches the records of the operation's owner only, and
 * an id taken by somebody else is not taken. Ids, collection and data arrive checked, the ids of new records all different.
 */
export interface Backend {
  /** True when writes append `succeeded` in the transaction of their write; those of many records with `ids` in its details. */
  auditsWrites: boolean
  /** What `search` can do; empty where there is none. */
  searchModes: readonly SearchMode[]
  /**
   * All of `records` or none, and given back in their order. Throws Problem `conflict`, naming an id that the owner has
   * already, and `unprocessable` when data do not fit.
   */
  create(operation: Operation, records: readonly NewRecord[], options: CreateOptions): Promise<StoredRecord[]>
  read(operation: Operation, id: string): Promise<StoredRecord | undefined>
  /** What evaluate.ts says of filter, order and position, to the letter. */
  find(operation: Operation, query: Query): Promise<StoredRecord[]>
  /**
   * How many of the owner's records the filter lets through, counted; `planned` needs to count to dataStore.PLANNED_COUNT_CEILING only.
   * Never out of statistics, which are of everybody's records.
   */
  count(
    operation: Operation,
    filter: dataStore.Filter | undefined,
    mode: 'planned' | 'exact',
  ): Promise<number>
  /**
   * Replaces the data and counts the version up; undefined when there is no such record. What `change` saw is what its result
   * replaces: whoever comes in between makes it be called again, or wait. Throws Problem `unprocessable` when data do not fit.
   */
  update(operation: Operation, id: string, change: Change): Promise<StoredRecord | undefined>
  /**
   * As `update`, for every record that the filter lets through, all or none; gives back their ids.
   * @throws Problem `conflict` by tooManyAffected() when there are more than `maxAffected`, `unprocessable` by tooMuchAffected() when
   *   they are larger together than BULK_CHANGE_BYTES
   */
  updateMany(
    operation: Operation,
    filter: dataStore.Filter,
    change: Change,
    maxAffected: number,
  ): Promise<string[]>
  /** Whether there was one. What `permit` saw is what is deleted. */
  delete(operation: Operation, id: string, permit: Permit): Promise<boolean>
  /**
   * Deletes every record that the filter lets through, all or none; gives back their ids. Holds no more of them than it needs.
   * @throws Problem `conflict` by tooManyAffected()
   */
  deleteMany(operation: Operation, filter: dataStore.Filter, maxAffected: number): Promise<string[]>
  /** The best first. Called for the modes in `searchModes` only. */
  search?(operation: Operation, request: SearchRequest): Promise<(StoredRecord & { score: number })[]>
}

/** @throws Problem `conflict` */
export function taken(id: string, collection: string): never {
  throw new Problem('conflict', `You have a record ${id} in ${collection} already.`)
}

/** @throws Problem `conflict` */
export function tooManyAffected(maxAffected: number): never {
  const detail = `More than ${String(maxAffected)} records would be changed (max_affected), so none was.`
  throw new Problem('conflict', detail)
}

/**
 * As much as the `data` that one bulk change replaces may be together, as JSON in bytes: all of it is in memory at once, before
 * the change and after it.
 */
export const BULK_CHANGE_BYTES = 32 * 1024 ** 2

/** @throws Problem `unprocessable` */
export function tooMuchAffected(): never {
  const detail = `The records of this filter are more than ${String(BULK_CHANGE_BYTES)} bytes together, which is the most that are changed at once: narrow the filter.`
  throw new Problem('unprocessable', detail)
}

/** By name; undefined for one that is known but not configured. */
export type Backends = ReadonlyMap<string, Backend | undefined>
