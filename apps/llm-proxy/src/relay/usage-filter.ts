import type { Frame } from '../protocols/sse.ts'
import { membersOf } from './json-members.ts'
import type { Member } from './json-members.ts'

const MEMBER = Buffer.from('"usage"')
const DATA = Buffer.from('data:')
const BRACE = 0x7b

/**
 * Takes out of a stream of chat completions what `stream_options.include_usage` put into it: the chunk that has no choices
 * but the usage, and `"usage":null` of all the others. Every other byte stays, and every frame that says something else.
 * @returns undefined when nothing is left of the frame
 */
export function withoutUsage({ raw, data }: Pick<Frame, 'raw' | 'data'>): Buffer | undefined {
  if (data === undefined || !raw.includes(MEMBER)) return raw
  const begin = raw.indexOf(DATA)
  const object = begin === -1 ? -1 : raw.indexOf(BRACE, begin)
  const members = object === -1 ? undefined : membersOf(raw, object)
  const index = members?.findIndex(({ name }) => name === 'usage') ?? -1
  const usage = members?.[index]
  if (!members || !usage) return raw
  const choices = members.find(({ name }) => name === 'choices')
  const hasChoices = choices !== undefined && membersIn(raw, choices) !== '[]'
  const saysMore = hasChoices || members.some(({ name }) => name === 'error')
  if (textOf(raw, usage) !== 'null') return saysMore ? raw : undefined
  // With the comma before it, or behind it where it is the first one.
  const before = members[index - 1]
  const next = members[index + 1]
  const start = before?.valueEnd ?? usage.start
  const end = before ? usage.valueEnd : (next?.start ?? usage.valueEnd)
  return Buffer.concat([raw.subarray(0, start), raw.subarray(end)])
}

function textOf(raw: Buffer, { valueStart, valueEnd }: Member): string {
  return raw.toString('latin1', valueStart, valueEnd)
}

/** A list without its white space, as far as that tells whether it is empty. */
function membersIn(raw: Buffer, { valueStart, valueEnd }: Member): string {
  return valueEnd - valueStart > 16
    ? '[…]'
    : raw.toString('latin1', valueStart, valueEnd).replaceAll(/\s/g, '')
}
