import type { NewRecord, Operation } from '../../backend.ts'
import type { Position, Query } from '../../query/query.ts'
import { allOf, ALWAYS, exactly, quoted } from './condition.ts'
import type { Condition } from './condition.ts'
import { afterPosition, pushedOrder } from './push-down.ts'
import type { RestRequest } from '@waybill/http-client'
import { SELECT, SELECT_HIT, SELECT_VERSION } from './rows.ts'
import type { SeenVersion } from './rows.ts'

/** The requests to PostgREST that operations are made of. */

/** How long a condition may be in a URL, encoded, in bytes: gateways take about 8 KiB of a request line. */
const LONGEST_CONDITION = 6_000

/** A longer condition is left out, so that records have to be looked at here. */
export function thatFits(condition: Condition): Condition {
  if (typeof condition.text === 'boolean' || fits(condition.text)) return condition
  return { text: true, exact: false }
}

function fits(text: string): boolean {
  return encodeURIComponent(text).length <= LONGEST_CONDITION
}

/** Records that a condition lets through and that come after a position, in an order that can be pushed down. */
export function page(
  { collection, owner }: Operation,
  condition: Condition,
  { order, after, limit }: Pick<Query, 'order' | 'limit'> & { after: Position | undefined },
): RestRequest {
  const { text } = allOf([condition, afterPosition(order, after)])
  const query = [
    SELECT,
    ownedBy(owner),
    ['order', pushedOrder(order) ?? 'id.asc'],
    ['limit', String(limit)],
  ] as const
  return { method: 'GET', path: collection.table, query: [...query, ...where(text)] }
}

/** As page, by id, of each record what a deletion has to know. */
export function versions(
  { collection, owner }: Operation,
  condition: Condition,
  { after, limit }: { after: string | undefined; limit: number },
): RestRequest {
  const { text } = allOf([condition, afterId(after)])
  const query = [SELECT_VERSION, ownedBy(owner), ['order', 'id.asc'], ['limit', String(limit)]] as const
  return { method: 'GET', path: collection.table, query: [...query, ...where(text)] }
}

/** None of the records, and how many there are. */
export function count({ collection, owner }: Operation, { text }: Condition): RestRequest {
  const query = [['select', 'id'], ownedBy(owner), ['limit', '0'], ...where(text)] as const
  return { method: 'GET', path: collection.table, query, prefer: ['count=exact'] }
}

export function read({ collection, owner }: Operation, id: string): RestRequest {
  return { method: 'GET', path: collection.table, query: [SELECT, ownedBy(owner), ['id', `eq.${id}`]] }
}

/** As read, but no more than a deletion has to know. */
export function readVersion({ collection, owner }: Operation, id: string): RestRequest {
  return {
    ...{ method: 'GET', path: collection.table },
    query: [SELECT_VERSION, ownedBy(owner), ['id', `eq.${id}`]],
  }
}

/** Those of the ids that are taken. */
export function taken({ collection, owner }: Operation, ids: readonly string[]): RestRequest {
  const query = [['select', 'id'], ownedBy(owner), oneOf(ids)] as const
  return { method: 'GET', path: collection.table, query }
}

/** One statement for all of them. The owner is what the database makes of the caller's token. */
export function insert(
  { collection }: Operation,
  records: readonly NewRecord[],
  replaces: boolean,
): RestRequest {
  return {
    method: 'POST',
    path: collection.table,
    query: [SELECT, ['columns', 'id,data'], ...(replaces ? [['on_conflict', 'owner,id'] as const] : [])],
    body: records.map(({ id, data }) => ({ id, data })),
    prefer: ['return=representation', ...(replaces ? ['resolution=merge-duplicates'] : [])],
  }
}

/** Only what is as it was when it was read. */
export function update(operation: Operation, seen: SeenVersion, data: object): RestRequest {
  const query = [SELECT, ...asSeen(operation, seen)]
  return {
    method: 'PATCH',
    path: operation.collection.table,
    query,
    body: { data },
    prefer: ['return=representation'],
  }
}

/** As update. */
export function remove(operation: Operation, seen: SeenVersion): RestRequest {
  const query = [['select', 'id'] as const, ...asSeen(operation, seen)]
  return { method: 'DELETE', path: operation.collection.table, query, prefer: ['return=representation'] }
}

/** Several of them in one transaction: all that are as they were, or none and the code PT409. */
export function changeMany(
  { collection }: Operation,
  how: 'replace_many' | 'delete_many',
  changes: readonly (SeenVersion & { data?: object })[],
): RestRequest {
  return { method: 'POST', path: `rpc/${collection.table}_${how}`, body: { changes } }
}

/** The function is stable, so PostgREST runs it READ ONLY. In a URL it would take `eq.x` for a condition. */
export function search({ collection }: Operation, words: string, most: number): RestRequest {
  return { method: 'POST', path: `rpc/${collection.table}_search`, body: { words, most } }
}

/** As search, of each record its id and score. */
export function hits(operation: Operation, words: string, most: number): RestRequest {
  return { ...search(operation, words, most), query: [SELECT_HIT] }
}

function asSeen({ owner }: Operation, { id, version }: SeenVersion) {
  return [ownedBy(owner), ['id', `eq.${id}`] as const, ['version', `eq.${String(version)}`] as const]
}

/** Beside the policies, which compare the owner with the token. What follows the operator is a value, whatever is in it. */
function ownedBy(owner: string): readonly [string, string] {
  return ['owner', `eq.${owner}`]
}

function oneOf(ids: readonly string[]): readonly [string, string] {
  return ['id', `in.(${ids.map(quoted).join(',')})`]
}

function afterId(id: string | undefined): Condition {
  return id === undefined ? ALWAYS : exactly(`id.gt.${quoted(id)}`)
}

function where(text: string | boolean): readonly (readonly [string, string])[] {
  return typeof text === 'string' ? [['and', `(${text})`]] : []
}
