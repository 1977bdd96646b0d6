import { isUtf8 } from 'node:buffer'
import { Problem } from '@waybill/service-kit'
import { membersOf, spliced } from './json-members.ts'
import type { Member, Splice } from './json-members.ts'

/** A JSON body that is to go to a provider: what it asks for, and the bytes as they came. */
export interface Draft {
  readonly bytes: Buffer
  readonly body: Readonly<Record<string, unknown>>
  readonly model: string | undefined
  /** Whether `stream: true` is asked for. */
  readonly stream: boolean
  /** Whether the client asks for `stream_options.include_usage` itself. */
  readonly includesUsage: boolean
  /** The most tokens of output that are asked for; undefined when nothing is said. */
  readonly maxTokens: number | undefined
  /** The bytes with another model, and with `stream_options.include_usage: true`, where that is wanted; all else stays. */
  written(changes: { model?: string | undefined; includeUsage?: boolean }): Buffer
}

/** The members that decide what becomes of a request: were one there twice, we and the provider might read another. */
const JUDGED = new Set(['model', 'stream', 'stream_options'])

/** Members by which clients of some proxies choose where a request goes; in lower case, without `_` and `-`. */
const STEERING = new Set([
  'apibase',
  'apikey',
  'apiversion',
  'azureendpoint',
  'baseurl',
  'customhost',
  'customllmprovider',
])

/**
 * Reads a JSON object without changing a byte of it.
 * @throws Problem invalid_json when it is none, bad_request naming a member that stands there twice or that may not
 */
export function readDraft(bytes: Buffer): Draft {
  const body = parseObject(bytes)
  const members = membersOf(bytes) ?? []
  judge(members)
  const options = find(members, 'stream_options')
  const inner = options && membersOf(bytes, options.valueStart)
  if (inner && inner.filter(({ name }) => name === 'include_usage').length > 1) {
    throw refused('stream_options', 'include_usage stands in stream_options twice.')
  }
  const { model, stream } = body
  const includesUsage = isObject(body.stream_options) && body.stream_options.include_usage === true
  return {
    bytes,
    body,
    model: typeof model === 'string' ? model : undefined,
    stream: stream === true,
    includesUsage,
    maxTokens: firstNumber(body.max_completion_tokens, body.max_tokens, body.max_output_tokens),
    written({ model: other, includeUsage = false }) {
      const splices: Splice[] = []
      const asked = find(members, 'model')
      if (other !== undefined && asked && other !== model)
        splices.push(inPlaceOf(asked, JSON.stringify(other)))
      if (includeUsage && !includesUsage) splices.push(...askForUsage(bytes, members))
      return spliced(bytes, splices)
    },
  }
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  let body: unknown
  try {
    // Each byte that is none of UTF-8 would become U+FFFD, and what was judged not be what is sent.
    if (isUtf8(bytes)) body = JSON.parse(bytes.toString('utf8'))
  } catch {
    body = undefined
  }
  if (isObject(body)) return body
  throw new Problem(
    'invalid_json',
    body === undefined ? 'The body cannot be parsed as JSON.' : 'The body must be a JSON object.',
  )
}

function judge(members: readonly Member[]): void {
  const seen = new Set<string>()
  for (const { name } of members) {
    if (STEERING.has(name.toLowerCase().replaceAll(/[_-]/g, ''))) {
      throw refused(name, `${name} is not accepted: where a request goes is not for its body to say.`)
    }
    if (JUDGED.has(name) && seen.has(name)) throw refused(name, `${name} stands in the body twice.`)
    seen.add(name)
  }
}

function askForUsage(bytes: Buffer, members: readonly Member[]): Splice[] {
  const options = find(members, 'stream_options')
  if (!options) {
    const { valueEnd } = find(members, 'stream') ?? members.at(-1) ?? { valueEnd: 1 }
    return [{ start: valueEnd, end: valueEnd, text: ',"stream_options":{"include_usage":true}' }]
  }
  const inner = membersOf(bytes, options.valueStart)
  if (!inner) {
    const isNull = bytes.toString('latin1', options.valueStart, options.valueEnd) === 'null'
    // Anything else is wrong, which is for the provider to say.
    return isNull ? [inPlaceOf(options, '{"include_usage":true}')] : []
  }
  const asked = find(inner, 'include_usage')
  if (asked) return [inPlaceOf(asked, 'true')]
  const start = options.valueStart + 1
  return [{ start, end: start, text: `"include_usage":true${inner.length === 0 ? '' : ','}` }]
}

function find(members: readonly Member[], name: string): Member | undefined {
  return members.find((member) => member.name === name)
}

function inPlaceOf({ valueStart, valueEnd }: Member, text: string): Splice {
  return { start: valueStart, end: valueEnd, text }
}

function refused(param: string, detail: string): Problem {
  return new Problem('bad_request', detail, { extensions: { param, reason: 'invalid_value' } })
}

function firstNumber(...values: unknown[]): number | undefined {
  return values.find((value) => typeof value === 'number')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
