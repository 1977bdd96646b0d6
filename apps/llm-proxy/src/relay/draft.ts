import { isUtf8 } from 'node:buffer'
import { Problem } from '@waybill/service-kit'
import { membersOf, namesWithin, spliced } from './json-members.ts'
import type { Member, Splice } from './json-members.ts'

/** A JSON body that is to go to a provider: what it asks for, and the bytes as they came. */
export interface Draft {
  readonly bytes: Buffer
  /** Parsed. */
  readonly body: Readonly<Record<string, unknown>>
  readonly model: string | undefined
  /** Whether `stream: true` is asked for. */
  readonly stream: boolean
  /** Whether the client asks for `stream_options.include_usage` itself. */
  readonly includesUsage: boolean
  /** The bytes with another model, and with `stream_options.include_usage: true`, where that is wanted; all else stays. */
  written(changes: Changes): Buffer
  /**
   * Lets go of what is not needed any more, since a call lasts for minutes: of the parsed body once it was judged, of all when
   * nothing is to be sent any more.
   */
  forget(what: 'body' | 'all'): void
}

interface Changes {
  model?: string | undefined
  includeUsage?: boolean
}

/**
 * The members that decide what becomes of a request: were one there twice, or in another case, which Go's servers do not mind, we and
 * the provider might read another.
 */
const JUDGED = new Set(['model', 'stream', 'stream_options', 'include_usage', 'background', 'deferred'])

/** Members by which clients of some proxies choose where a request goes; in lower case, without `_` and `-`. */
const STEERING = new Set([
  'apibase',
  'apikey',
  'apiversion',
  'awsbedrockruntimeendpoint',
  'awsstsendpoint',
  'azureadtoken',
  'azureendpoint',
  'baseurl',
  'customhost',
  'customllmprovider',
  'extraheaders',
  'langfusehost',
  'modellist',
  'userconfig',
  'vertexcredentials',
])

/** What people, models and schemas say may have members of any name. */
const CONTENT = new Set([
  ...['messages', 'input', 'contents', 'prompt', 'system', 'instructions', 'systemInstruction'],
  ...['tools', 'functions', 'metadata', 'format', 'guided_json'],
])

/** Proxies take steering members in the objects of a list of fallbacks too, and in those within: LiteLLM's `litellm_params`. */
const STEERING_DEPTH = 2

/**
 * Reads a JSON object without changing a byte of it.
 * @throws Problem invalid_json when it is none, bad_request naming a member that stands there twice or that may not
 */
export function readDraft(bytes: Buffer): Draft {
  const body = parseObject(bytes)
  let members = membersOf(bytes) ?? []
  judge(members)
  const options = find(members, 'stream_options')
  const inner = options && membersOf(bytes, options.valueStart)
  if (inner) judge(inner, 'stream_options')
  for (const member of members) {
    if (CONTENT.has(member.name)) continue
    for (const name of namesWithin(bytes, member, STEERING_DEPTH)) refuseSteering(name)
  }
  const { model, stream } = body
  const includesUsage = isObject(body.stream_options) && body.stream_options.include_usage === true
  const draft = {
    bytes,
    body,
    model: typeof model === 'string' ? model : undefined,
    stream: stream === true,
    includesUsage,
    written({ model: other, includeUsage = false }: Changes) {
      const splices: Splice[] = []
      const asked = find(members, 'model')
      if (other !== undefined && asked && other !== model)
        splices.push(inPlaceOf(asked, JSON.stringify(other)))
      if (includeUsage && !includesUsage) splices.push(...askForUsage(draft.bytes, members))
      return spliced(draft.bytes, splices)
    },
    forget(what: 'body' | 'all') {
      draft.body = {}
      if (what === 'body') return
      draft.bytes = Buffer.alloc(0)
      members = []
    },
  }
  return draft
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

/** `within`: the member that they are in, if any. */
function judge(members: readonly Member[], within?: string): void {
  const seen = new Set<string>()
  for (const { name } of members) {
    refuseSteering(name)
    const meant = folded(name)
    if (!JUDGED.has(meant)) continue
    if (name !== meant) throw refused(within ?? name, `${name} is to be written ${meant}.`)
    if (seen.has(name)) throw refused(within ?? name, `${name} stands in ${within ?? 'the body'} twice.`)
    seen.add(name)
  }
}

function refuseSteering(name: string): void {
  if (!STEERING.has(folded(name).replaceAll(/[_-]/g, ''))) return
  throw refused(name, `${name} is not accepted: where a request goes is not for its body to say.`)
}

/** As servers compare that do not mind case: to Go a long s is an s, and the sign of Kelvin a k. */
function folded(name: string): string {
  return name.toUpperCase().toLowerCase()
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
