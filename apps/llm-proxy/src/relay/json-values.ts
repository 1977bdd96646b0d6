import { endOfString } from './json-members.ts'

/**
 * Whether JSON may hold more than `most` values: each list, object and comma counts as one. A small text can be parsed into
 * thirty times its size, `{},{},` for one; this takes one pass over the bytes, and none where there are no more than `most`.
 */
export function hasMoreValues(json: Buffer, most: number): boolean {
  if (json.length <= most) return false
  let values = 0
  let at = 0
  while (at < json.length) {
    const byte = json[at]
    if (byte === 0x22) {
      at = endOfString(json, at)
      continue
    }
    at++
    if (byte === 0x2c || byte === 0x7b || byte === 0x5b) values++
    if (values > most) return true
  }
  return false
}
