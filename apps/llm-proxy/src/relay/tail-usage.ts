import type { Observation, Protocol } from '../protocols/protocol.ts'
import { membersOf } from './json-members.ts'

/** Where the protocols have it, at the top of an answer. */
const NAMES = ['usage', 'usageMetadata'] as const

/** The usage that stands in the last bytes of an answer that was too long to be read; nothing where there is none. */
export function observeTail(tail: Buffer, protocol: Protocol): Observation {
  for (const name of NAMES) {
    const usage = objectBehind(tail, Buffer.from(`"${name}"`))
    if (usage) return protocol.readAnswer({ [name]: usage })
  }
  return { finishReasons: [] }
}

/** The last object that is the value of a member of this name. A text that quotes one has a backslash before each mark. */
function objectBehind(json: Buffer, name: Buffer): unknown {
  for (let at = json.lastIndexOf(name); at > 0; at = json.lastIndexOf(name, at - 1)) {
    const start = json.indexOf('{', at)
    const between = json.toString('latin1', at + name.length, start)
    const last = /^\s*:\s*$/.test(between) ? membersOf(json, start)?.at(-1) : undefined
    if (!last) continue
    try {
      return JSON.parse(`${json.toString('utf8', start, last.valueEnd)}}`)
    } catch {
      continue
    }
  }
  return undefined
}
