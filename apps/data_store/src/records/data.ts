import { Problem } from '@waybill/service-kit'
import type { RecordData } from '../backend.ts'

export interface DataLimits {
  /** As compact JSON, in bytes. */
  maxBytes: number
  /** Levels of arrays and objects, `data` itself being the first. */
  maxDepth: number
}

/**
 * Makes sure that every backend can keep `data`, which messages call `name`, exactly as it is.
 * @throws Problem `payload_too_large` or `unprocessable`, naming the place
 */
export function checkData(data: RecordData, name: string, limits: DataLimits): void {
  checkValues(data, name, limits.maxDepth)
  const bytes = Buffer.byteLength(JSON.stringify(data))
  if (bytes > limits.maxBytes) {
    const detail = `${name} is ${String(bytes)} bytes; ${String(limits.maxBytes)} is the most that a record may have.`
    throw new Problem('payload_too_large', detail)
  }
}

/**
 * Makes sure that every backend can be given the texts and numbers in `root`, at whatever depth up to `maxDepth`.
 * @throws Problem `unprocessable`, naming the place
 */
export function checkValues(root: unknown, name: string, maxDepth = Infinity): void {
  const open: { value: unknown; place: string; depth: number }[] = [{ value: root, place: name, depth: 1 }]
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, place, depth } = next
    if (typeof value === 'string') checkText(value, place)
    // JSON.parse reads 1e999 as Infinity, which no JSON can hold.
    if (typeof value === 'number' && !Number.isFinite(value)) throw wrong(place, 'is a number out of range')
    if (typeof value !== 'object' || value === null) continue
    if (depth > maxDepth) throw wrong(name, `is nested more than ${String(maxDepth)} levels deep`)
    for (const [key, child] of Object.entries(value)) {
      checkText(key, `a name in ${place}`)
      open.push({
        value: child,
        place: Array.isArray(value) ? `${place}[${key}]` : `${place}.${key}`,
        depth: depth + 1,
      })
    }
  }
}

/** Postgres' text has no room for NUL, and UTF-8 none for half a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function checkText(text: string, place: string): void {
  if (isStorableText(text)) return
  throw wrong(place, `contains ${text.includes('\0') ? 'a NUL character' : 'half a surrogate pair'}`)
}

function wrong(place: string, what: string): Problem {
  return new Problem('unprocessable', `${place.length > 200 ? `${place.slice(0, 200)}...` : place} ${what}.`)
}
