import type { RecordData } from '../backend.ts'

/**
 * What `data` are after a JSON Merge Patch (RFC 7396 section 2): null takes a member out, an object is merged into what was
 * there, and anything else, arrays too, stands in its place. As deep as `patch` is the stack: it arrives checked.
 */
export function mergePatch(data: RecordData, patch: RecordData): RecordData {
  const members = new Map(Object.entries(data))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name)
    else members.set(name, merged(members.get(name), value))
  }
  // Not by assignment: a member may be called __proto__.
  return Object.fromEntries(members)
}

function merged(target: unknown, patch: unknown): unknown {
  return isObject(patch) ? mergePatch(isObject(target) ? target : {}, patch) : patch
}

function isObject(value: unknown): value is RecordData {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
