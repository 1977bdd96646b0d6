import { endOfString } from './json-members.ts'

/** The most that a JSON text may hold. */
export interface JsonLimits {
  /** Of lists, objects and commas: a small text can be parsed into thirty times its size, `{},{},` for one. */
  values: number
  /** Of lists and objects within one another: parsers that call themselves for each die of a text of some kilobytes. */
  depth: number
}

/** Which of the limits JSON may be beyond, before it is parsed: one pass over the bytes, and none over a few. */
export function beyondLimits(json: Buffer, most: JsonLimits): keyof JsonLimits | undefined {
  if (json.length <= Math.min(most.values, most.depth)) return undefined
  let values = 0
  let depth = 0
  let at = 0
  while (at < json.length) {
    const byte = json[at]
    if (byte === 0x22) {
      at = endOfString(json, at)
      continue
    }
    at++
    if (byte === 0x2c) values++
    else if (byte === 0x7b || byte === 0x5b) {
      values++
      depth++
      if (depth > most.depth) return 'depth'
    } else if (byte === 0x7d || byte === 0x5d) depth--
    if (values > most.values) return 'values'
  }
  return undefined
}
