import { dataStore } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Operation, RecordData, StoredRecord } from '../../backend.ts'
import type { Collection } from '../../collections/collection.ts'
import type { FileMakerRecord } from './answer.ts'
import type { FieldData } from './data-api.ts'
import { fromNative, toNative } from './native.ts'
import type { MemberType } from './native.ts'

/** The fields that the layout of every collection has; all of them are texts. */
export const FIELD = {
  owner: 'owner',
  id: 'record_id',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  data: 'data',
} as const

/** A record with what FileMaker knows it by. */
export interface KeptRecord extends StoredRecord {
  kept: FileMakerRecord
}

/** What has to be known of a record to delete it, and to give it back. */
export type Deletable = Pick<KeptRecord, 'id' | 'kept'>

/** The fields that a deletion writes. */
const WRITTEN = [FIELD.owner, FIELD.updatedAt]

/** FileMaker gives the whole record only: this is what of it is held. */
export function deletable({ id, kept: { fieldData, recordId, modId } }: KeptRecord): Deletable {
  const fields = Object.fromEntries(WRITTEN.map((name) => [name, fieldData[name]]))
  return { id, kept: { recordId, modId, fieldData: fields } }
}

/**
 * Whose a record is, as its field says it: `user:alice`. Other characters than lower-case letters, digits, ., _ and - are
 * percent-encoded as UTF-8, so that two owners never look alike to FileMaker, which knows no case and has operators.
 */
export function ownerKey({ collection, owner }: Pick<Operation, 'collection' | 'owner'>): string {
  const encoded = Buffer.from(owner).reduce((text, byte) => {
    const character = String.fromCharCode(byte)
    return text + (/[a-z0-9._-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`)
  }, '')
  return `${collection.scope}:${encoded}`
}

/** How the owner of what nobody owns any more begins, until it is gone; no scope has this name. */
export const DELETED = 'deleted:'

export function deletedKey(key: string): string {
  return DELETED + key
}

/** `data` and the fields of its members. */
export function toFields(collection: Collection, data: RecordData, updatedAt: string): FieldData {
  const native = Object.entries(collection.fields).map(([member, field]) => {
    return [field, toNative(Object.hasOwn(data, member) ? data[member] : undefined)] as const
  })
  return { ...Object.fromEntries(native), [FIELD.updatedAt]: updatedAt, [FIELD.data]: JSON.stringify(data) }
}

/**
 * The record; undefined for one whose owner is not `key` to the byte, or whose id could not be one: whatever a find may give,
 * nothing else comes out.
 * @throws Problem `upstream_failed` when its data are no JSON object
 */
export function fromKept(
  { collection, owner }: Pick<Operation, 'collection' | 'owner'>,
  key: string,
  kept: FileMakerRecord,
): KeptRecord | undefined {
  const { fieldData, modId } = kept
  const { success, data: id } = dataStore.recordId.safeParse(fieldData[FIELD.id])
  if (fieldData[FIELD.owner] !== key || !success) return undefined
  return {
    id,
    data: dataOf(collection, fieldData, id),
    version: Number(modId) + 1,
    owner,
    created_at: timeOf(fieldData[FIELD.createdAt]),
    updated_at: timeOf(fieldData[FIELD.updatedAt]),
    kept,
  }
}

export function withoutKept({ kept: _, ...record }: KeptRecord): StoredRecord {
  return record
}

function dataOf(collection: Collection, fieldData: FileMakerRecord['fieldData'], id: string): RecordData {
  const members = new Map(Object.entries(parsed(fieldData[FIELD.data], id)))
  for (const [member, field] of Object.entries(collection.fields)) {
    const value = fromNative(members.get(member), fieldData[field], typeOf(collection, member))
    if (value === undefined) members.delete(member)
    else members.set(member, value)
  }
  // Not by assignment: a member may be called __proto__.
  return Object.fromEntries(members)
}

/** A record that was made in FileMaker may have no data yet. */
function parsed(text: unknown, id: string): RecordData {
  if (text === '' || text === undefined) return {}
  try {
    const value: unknown = typeof text === 'string' ? JSON.parse(text) : text
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // as below
  }
  throw new Problem('upstream_failed', `What FileMaker keeps as data of the record ${id} is no JSON object.`)
}

function typeOf({ schema }: Collection, member: string): MemberType {
  const properties: unknown = schema?.properties
  if (typeof properties !== 'object' || properties === null || !Object.hasOwn(properties, member))
    return undefined
  const declared: unknown = Reflect.get(properties, member)
  const type: unknown =
    typeof declared === 'object' && declared !== null ? Reflect.get(declared, 'type') : undefined
  if (type === 'integer') return 'number'
  return type === 'string' || type === 'number' || type === 'boolean' ? type : undefined
}

/** What is no time, in a record that was made in FileMaker, is the beginning of it. */
function timeOf(text: unknown): string {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return new Date(Number.isNaN(time) ? 0 : time).toISOString()
}
