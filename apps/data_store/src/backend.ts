import type { AuditEntry } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'

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

/** A user's action on a collection: whose records are meant comes from here and from nowhere else. */
export interface Operation {
  principal: UserPrincipal
  collection: string
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

interface ListOptions {
  limit: number
  /** Only ids greater than this one. */
  after: string | undefined
  includeVector: boolean
}

interface SearchOptions {
  vector: readonly number[]
  limit: number
  includeVector: boolean
}

/**
 * A place where records are kept. Whatever it is, it shows and touches the records of the operation's user only, and
 * an id taken by somebody else is not taken. Ids, collection and data arrive checked, the ids of new records all different.
 */
export interface Backend {
  /** True when `create`, `update` and `delete` append `succeeded` in the transaction of their write. */
  auditsWrites: boolean
  /**
   * All of `records` or none, and given back in their order. Throws Problem `conflict`, naming an id that the user has
   * already, and `unprocessable` when data do not fit.
   */
  create(
    operation: Operation,
    records: readonly NewRecord[],
    options: { includeVector: boolean },
  ): Promise<StoredRecord[]>
  read(operation: Operation, id: string): Promise<StoredRecord | undefined>
  /** In the order of ids, byte by byte. */
  list(operation: Operation, options: ListOptions): Promise<StoredRecord[]>
  /**
   * Replaces the data and counts the version up; undefined when there is no such record. What `change` saw is what its result
   * replaces: whoever comes in between makes it be called again, or wait. Throws Problem `unprocessable` when data do not fit.
   */
  update(operation: Operation, id: string, change: Change): Promise<StoredRecord | undefined>
  /** Whether there was one. What `permit` saw is what is deleted. */
  delete(operation: Operation, id: string, permit: Permit): Promise<boolean>
  /** The nearest first, `score` being the cosine similarity. Absent where there is no search by vector. */
  search?(operation: Operation, options: SearchOptions): Promise<(StoredRecord & { score: number })[]>
}

/** @throws Problem `conflict` */
export function taken(id: string, collection: string): never {
  throw new Problem('conflict', `You have a record ${id} in ${collection} already.`)
}

/** By name; undefined for one that is known but not configured. */
export type Backends = ReadonlyMap<string, Backend | undefined>
