import { FileMakerError } from './errors.ts'
import { fold, readCriterion } from './criteria.ts'
import type { Criterion, FieldType, Searched } from './criteria.ts'

/** A field as its layout has it, with its validation. */
export interface FieldDefinition {
  name: string
  type: FieldType
  /** Not empty. */
  required?: boolean
  /** Numbers only. */
  strict?: boolean
  unique?: boolean
  /** In characters. */
  maxLength?: number
}

export type FieldData = Record<string, string | number>

export interface RecordView {
  recordId: string
  modId: string
  fieldData: FieldData
}

interface Kept {
  recordId: number
  modId: number
  values: Map<string, Searched>
}

/** All that a table keeps, as it can be written down. */
export interface TableContents {
  lastId: number
  records: readonly { recordId: number; modId: number; values: Readonly<Record<string, string>> }[]
}

/** One find request: criteria by field. */
export interface FindRequest {
  criteria: ReadonlyMap<string, string>
  omit: boolean
}

export interface SortOrder {
  field: string
  descending: boolean
}

/** A table seen through one layout. Each function throws FileMakerError. */
export interface Table {
  readonly fields: readonly FieldDefinition[]
  readonly size: number
  create(fieldData: FieldData): RecordView
  get(recordId: string): RecordView
  /** With `modId` only while the record has that modification id. */
  edit(recordId: string, fieldData: FieldData, modId?: string): RecordView
  remove(recordId: string): void
  /** In the order of creation, unless sorted. */
  find(requests: readonly FindRequest[], sort: readonly SortOrder[]): RecordView[]
  all(sort: readonly SortOrder[]): RecordView[]
  /** As a user who is typing in the record holds it; gives back how to let go. */
  lock(recordId: string): () => void
  contents(): TableContents
}

interface TableOptions {
  fields: readonly FieldDefinition[]
  today: () => Date
  /** What it has from the beginning. */
  kept?: TableContents | undefined
  changed?: () => void
}

export function createTable({ fields, today, kept: earlier, changed }: TableOptions): Table {
  const definitions = new Map(fields.map((field) => [field.name, field]))
  const records = new Map<number, Kept>()
  const locked = new Set<number>()
  let lastId = earlier?.lastId ?? 0
  for (const { recordId, modId, values } of earlier?.records ?? []) {
    const read = Object.entries(values).map(([name, value]) => [name, searched(value)] as const)
    records.set(recordId, { recordId, modId, values: new Map(read) })
  }

  const definitionOf = (name: string): FieldDefinition => {
    const definition = definitions.get(name)
    if (!definition) throw new FileMakerError('102')
    return definition
  }
  const kept = (recordId: string): Kept => {
    const record = /^\d{1,15}$/.test(recordId) ? records.get(Number(recordId)) : undefined
    if (!record) throw new FileMakerError('101')
    return record
  }
  const unlocked = (recordId: string): Kept => {
    const record = kept(recordId)
    if (locked.has(record.recordId)) throw new FileMakerError('301')
    return record
  }
  const repeats = (field: string, { folded }: Searched, except: Kept | undefined) =>
    [...records.values()].some((other) => other !== except && other.values.get(field)?.folded === folded)

  const checked = (fieldData: FieldData, record: Kept | undefined): Map<string, Searched> => {
    const values = new Map(record?.values)
    for (const [name, value] of Object.entries(fieldData)) {
      definitionOf(name)
      values.set(name, searched(String(value)))
    }
    for (const definition of fields) {
      const value = values.get(definition.name) ?? searched('')
      const { required, strict, unique, maxLength = Infinity } = definition
      if (required === true && value.value === '') throw new FileMakerError('509')
      if (strict === true && Number.isNaN(Number(value.value))) throw new FileMakerError('502')
      if (value.value.length > maxLength) throw new FileMakerError('511')
      if (unique === true && repeats(definition.name, value, record)) throw new FileMakerError('504')
    }
    return values
  }
  const view = ({ recordId, modId, values }: Kept): RecordView => ({
    recordId: String(recordId),
    modId: String(modId),
    fieldData: Object.fromEntries(
      fields.map(({ name, type }) => [name, answered(values.get(name)?.value ?? '', type)]),
    ),
  })
  const sorted = (list: Kept[], sort: readonly SortOrder[]): RecordView[] => {
    for (const { field } of sort) definitionOf(field)
    const byFields = (one: Kept, other: Kept): number => {
      for (const { field, descending } of sort) {
        const difference = order(one.values.get(field), other.values.get(field), definitionOf(field).type)
        if (difference !== 0) return descending ? -difference : difference
      }
      return one.recordId - other.recordId
    }
    return (sort.length === 0 ? list : list.sort(byFields)).map(view)
  }
  const matcher = ({ criteria }: FindRequest): ((record: Kept) => boolean) => {
    const read = [...criteria].map(
      ([field, text]) => [field, readCriterion(text, definitionOf(field).type, today())] as const,
    )
    return (record) => read.every(([field, criterion]) => holds(record, field, criterion))
  }
  const holds = (record: Kept, field: string, criterion: Criterion): boolean => {
    const value = record.values.get(field) ?? EMPTY
    return criterion(value, () => repeats(field, value, record))
  }

  return {
    fields,
    get size() {
      return records.size
    },
    create(fieldData) {
      const values = checked(fieldData, undefined)
      lastId += 1
      const record = { recordId: lastId, modId: 0, values }
      records.set(lastId, record)
      changed?.()
      return view(record)
    },
    get: (recordId) => view(kept(recordId)),
    edit(recordId, fieldData, modId) {
      const record = unlocked(recordId)
      if (modId !== undefined && modId !== String(record.modId)) throw new FileMakerError('306')
      const values = checked(fieldData, record)
      // Nothing to do is no modification.
      if (Object.keys(fieldData).length > 0) {
        record.values = values
        record.modId += 1
        changed?.()
      }
      return view(record)
    },
    remove(recordId) {
      records.delete(unlocked(recordId).recordId)
      changed?.()
    },
    find(requests, sort) {
      let found = new Set<Kept>()
      // One after the other: each adds to what is found, or takes away from it.
      for (const request of requests) {
        const match = matcher(request)
        if (request.omit) found = new Set([...found].filter((record) => !match(record)))
        else for (const record of records.values()) if (match(record)) found.add(record)
      }
      return sorted(
        [...records.values()].filter((record) => found.has(record)),
        sort,
      )
    },
    all: (sort) => sorted([...records.values()], sort),
    lock(recordId) {
      const { recordId: id } = kept(recordId)
      locked.add(id)
      return () => locked.delete(id)
    },
    contents: () => ({
      lastId,
      records: [...records.values()].map(({ recordId, modId, values }) => ({
        ...{ recordId, modId },
        values: Object.fromEntries([...values].map(([name, { value }]) => [name, value])),
      })),
    }),
  }
}

const EMPTY: Searched = { value: '', folded: '' }

/** Line breaks are carriage returns in FileMaker. */
function searched(text: string): Searched {
  const value = text.replace(/\r\n|\n/g, '\r')
  return { value, folded: fold(value) }
}

/** Numbers come as numbers where they are some. */
function answered(value: string, type: FieldType): string | number {
  return type === 'number' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value
}

function order(one: Searched = EMPTY, other: Searched = EMPTY, type: FieldType): number {
  if (type === 'number') return Number(one.value) - Number(other.value)
  return one.folded < other.folded ? -1 : one.folded > other.folded ? 1 : 0
}
