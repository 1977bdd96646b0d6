import { z } from 'zod'

// google.protobuf.Struct, as protobufjs gives and takes it: one member of each value is set, and names its kind.

export interface Struct {
  fields?: Record<string, StructValue>
}

interface StructValue {
  nullValue?: unknown
  numberValue?: number
  stringValue?: string
  boolValue?: boolean
  structValue?: Struct
  listValue?: { values?: StructValue[] }
}

/** The JSON object that a Struct stands for. Decoding has bounded its depth: protobufjs gives up at 100 levels of messages. */
export const struct = z
  .custom<Struct>((value) => typeof value === 'object' && value !== null, { error: 'must be an object' })
  .transform(objectOf)

/** `object`, which must be JSON, as a Struct. */
export function structOf(object: Record<string, unknown>): Struct {
  return {
    fields: Object.fromEntries(Object.entries(object).map(([name, value]) => [name, structValueOf(value)])),
  }
}

function objectOf({ fields = {} }: Struct): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, jsonOf(value)]))
}

function jsonOf(value: StructValue): unknown {
  if (value.structValue) return objectOf(value.structValue)
  if (value.listValue) return (value.listValue.values ?? []).map(jsonOf)
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null
}

function structValueOf(value: unknown): StructValue {
  if (Array.isArray(value)) return { listValue: { values: value.map(structValueOf) } }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  // A JSON value that is an object and no array has names.
  if (typeof value === 'object' && value !== null)
    return { structValue: structOf(value as Record<string, unknown>) }
  return { nullValue: 0 }
}
