import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import type { CachedAnswer } from '../cache/response-cache.ts'
import type { Observation } from '../protocols/protocol.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { CallOutcome } from '../usage/meter.ts'
import type { Answered } from './attempts.ts'
import type { RelayCall } from './call.ts'
import type { RelayConfig } from './config.ts'
import { decoded } from './decoding.ts'
import { responseHeaders } from './header-policy.ts'
import type { Outgoing } from './outgoing.ts'
import { forwardStream } from './streaming.ts'
import { forwardWhole, readAnswer } from './whole.ts'
import type { Recipient } from './recipient.ts'

export type AnswerConfig = Pick<RelayConfig, 'UPSTREAM_IDLE_TIMEOUT_MS' | 'MAX_READ_ANSWER_BYTES'> & {
  MAX_FRAME_BYTES: number
}

export interface AnswerOptions {
  call: RelayCall
  outgoing: Outgoing
  /** Who answers. */
  provider: ProviderDefinition
  /** In milliseconds since the epoch. */
  deadline: number
  config: AnswerConfig
  /** What is left to the user here, beside what the provider says of its own limits. */
  limitHeaders: Readonly<Record<string, string>>
  /** It was tried again here already. */
  repeated: boolean
  /** At the first event of a stream. */
  onFirstFrame?: (() => void) | undefined
  /** Keeps a whole answer for the next time; undefined when there will be none. */
  keep?: ((answer: CachedAnswer) => void) | undefined
}

/** How an answer ended. */
export interface End extends Pick<CallOutcome, 'result' | 'estimatedOutputTokens'> {
  /** What it said of itself. */
  observed: Observation
  /** What went wrong, as `error.type` has it: the provider's status, or a short word. */
  error?: string | undefined
}

/**
 * Gives the client what the provider answered, and reads along how much it was.
 * @throws Problem as long as nothing has gone out
 */
export async function answerWith(answer: Answered, res: Recipient, options: AnswerOptions): Promise<End> {
  const { call, outgoing, provider } = options
  const { status } = answer
  refuseNoAnswer(answer, call, provider)
  const plain = decoded(answer.body, answer.headers['content-encoding'])
  plain?.on('error', () => undefined)
  const body = plain ?? answer.body
  writeHead(answer, res, options, plain !== undefined || outgoing.destination.translation !== undefined)
  const { problem, ...end } = isStream(answer)
    ? await stream(body, res, options)
    : await whole(body, res, answer, options)
  if (!problem)
    return status < 400 ? { ...end, result: 'answered' } : { ...end, result: 'failed', error: String(status) }
  const { code } = problem
  if (code === 'client_closed') return { ...end, result: 'aborted', error: code }
  call.log.warn({ code, provider: provider.name, detail: problem.message }, 'the answer broke off')
  return { ...end, result: 'failed', error: code }
}

/**
 * What no provider's API answers: a redirect, which would lead a client out of the platform with its credential, and a page
 * of some server in between where a model was asked.
 */
function refuseNoAnswer(
  { status, headers, body }: Answered,
  { operation }: RelayCall,
  { name }: ProviderDefinition,
): void {
  const isRedirect = status >= 300 && status < 400 && status !== 304
  const isPage = status === 200 && operation !== 'other' && !/json|^text\/event-stream/.test(typeOf(headers))
  if (!isRedirect && !isPage) return
  body.destroy()
  const what = isRedirect ? 'a redirect, which is not followed' : 'what is no answer of a model'
  throw new Problem('upstream_failed', `${name} answered with ${what}.`)
}

type Told = Pick<End, 'observed' | 'estimatedOutputTokens'> & { problem: Problem | undefined }

async function stream(body: Readable, res: Recipient, options: AnswerOptions): Promise<Told> {
  const { call, outgoing, provider, config, deadline, keep } = options
  const { path, translation } = outgoing.destination
  const observer = provider.protocol.observeStream(path)
  const { problem, estimatedTokens, copy } = await forwardStream(body, res, {
    ...{ observer, path, deadline },
    hidesUsage: outgoing.hidesUsage,
    translation: translation?.startStream(),
    protocol: call.protocol,
    name: provider.name,
    maxFrameBytes: config.MAX_FRAME_BYTES,
    idleMs: config.UPSTREAM_IDLE_TIMEOUT_MS,
    copyBytes: keep ? config.MAX_READ_ANSWER_BYTES : 0,
    onFirstFrame: options.onFirstFrame,
  })
  if (keep && copy) keep(cacheable(res, copy))
  const observed = observer.observed()
  return { problem, observed, ...(!observed.usage && { estimatedOutputTokens: estimatedTokens }) }
}

async function whole(
  body: Readable,
  res: Recipient,
  { status, headers }: Answered,
  { call, outgoing, provider, config, deadline, keep }: AnswerOptions,
): Promise<Told> {
  const options = {
    ...{ name: provider.name, deadline },
    idleMs: config.UPSTREAM_IDLE_TIMEOUT_MS,
    copyBytes: config.MAX_READ_ANSWER_BYTES,
  }
  const { translation, path } = outgoing.destination
  if (translation) {
    const answer = await readAnswer(body, res, options)
    const told = status < 400 ? translation.answer(answer) : translation.errorAnswer(status, answer)
    res.setHeader('Content-Type', 'application/json')
    res.setHeader('Content-Length', told.length)
    res.end(told)
    if (status === 200) keep?.(cacheable(res, told))
    return { problem: undefined, observed: status < 400 ? observe(answer, provider, path) : UNKNOWN }
  }
  const isRead = status < 400 && call.operation !== 'other' && isJsonType(headers)
  const { problem, copy } = await forwardWhole(
    body,
    res,
    isRead || keep ? options : { ...options, copyBytes: 0 },
  )
  if (keep && copy && status === 200) keep(cacheable(res, copy))
  return { problem, observed: isRead && copy ? observe(copy, provider, path) : UNKNOWN }
}

function writeHead(
  { status, headers }: Answered,
  res: Recipient,
  { limitHeaders, repeated, keep }: AnswerOptions,
  isChanged: boolean,
): void {
  res.statusCode = status
  const kept = responseHeaders(headers, { isChanged })
  Object.assign(kept, limitHeaders)
  if (repeated && (status >= 500 || RETRIED.has(status))) kept['x-should-retry'] = 'false'
  for (const [name, value] of Object.entries(kept)) res.setHeader(name, value)
  res.setHeader('Cache-Control', 'private, no-store')
  if (keep) res.setHeader('X-Waybill-Cache', 'miss')
}

/** Beside 5xx, what vendors' SDKs repeat. */
const RETRIED = new Set([408, 409, 429])

function cacheable(res: Recipient, body: Buffer): CachedAnswer {
  const headers: Record<string, string> = {}
  for (const name of ['content-type', 'content-disposition', 'cache-control', 'x-accel-buffering']) {
    const value = res.getHeader(name)
    if (typeof value === 'string') headers[name] = value
  }
  return { status: res.statusCode, headers, body }
}

const UNKNOWN: Observation = { finishReasons: [] }

function observe(copy: Buffer, { protocol }: ProviderDefinition, path: string): Observation {
  try {
    const body: unknown = JSON.parse(copy.toString('utf8'))
    if (!Array.isArray(body)) return protocol.readAnswer(body)
    // A stream that is sent as one list, as Gemini does without `alt=sse`.
    const observer = protocol.observeStream(path)
    for (const element of body) observer.frame('', JSON.stringify(element))
    return observer.observed()
  } catch {
    return UNKNOWN
  }
}

function isStream({ status, headers }: Answered): boolean {
  return status < 300 && typeOf(headers).startsWith('text/event-stream')
}

function isJsonType(headers: Record<string, unknown>): boolean {
  return typeOf(headers).includes('json')
}

function typeOf(headers: Record<string, unknown>): string {
  const type = headers['content-type']
  return typeof type === 'string' ? type.toLowerCase() : ''
}
