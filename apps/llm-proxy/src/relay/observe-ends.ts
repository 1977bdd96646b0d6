import type { Observation, Protocol } from '../protocols/protocol.ts'
import { membersOf } from './json-members.ts'

/** Where the protocols have it, at the top of an answer. */
const NAMES = ['usage', 'usageMetadata'] as const

/** Behind its usage an answer says little. Each place costs a pass over what stands behind it, and a hostile answer has thousands. */
const MOST_PLACES = 8

/** Without escapes, as names of models are. */
const MODEL = /"model"\s*:\s*"([^"\\]+)"/

/** What stands in the first and the last bytes of an answer that was too long to be read: the model that answers, and the usage. */
export function observeEnds(head: Buffer, tail: Buffer, protocol: Protocol): Observation {
  const model = MODEL.exec(head.toString('latin1'))?.[1]
  for (const name of NAMES) {
    const usage = lastObject(tail, Buffer.from(`"${name}"`))
    if (usage) return { ...protocol.readAnswer({ [name]: usage }), model }
  }
  return { model, finishReasons: [] }
}

/** The last object that is the value of a member of this name. A text that quotes one has a backslash before each mark. */
function lastObject(json: Buffer, name: Buffer): unknown {
  let at = json.lastIndexOf(name)
  for (let places = 0; places < MOST_PLACES && at > 0; places++) {
    const found = objectBehind(json, at + name.length)
    if (found !== undefined) return found
    at = json.lastIndexOf(name, at - 1)
  }
  return undefined
}

/** The object behind the colon that comes next; undefined when something else does, or it has no members, or no end. */
function objectBehind(json: Buffer, from: number): unknown {
  const colon = json.indexOf(':', from)
  if (colon === -1 || json.toString('latin1', from, colon).trim() !== '') return undefined
  const last = membersOf(json, colon + 1)?.at(-1)
  if (!last) return undefined
  try {
    return JSON.parse(`${json.toString('utf8', colon + 1, last.valueEnd)}}`)
  } catch {
    return undefined
  }
}
