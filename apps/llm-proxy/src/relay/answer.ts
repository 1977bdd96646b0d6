import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import type { CachedAnswer } from '../cache/response-cache.ts'
import type { Observation } from '../protocols/protocol.ts'
import { estimateTokens, textBytesOf } from '../protocols/text-bytes.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { CallOutcome } from '../usage/meter.ts'
import type { Answered } from './attempts.ts'
import type { RelayCall } from './call.ts'
import type { RelayConfig } from './config.ts'
import { decoded } from './decoding.ts'
import { OWN_OF_ANSWER, responseHeaders } from './header-policy.ts'
import { withoutKey } from './masking.ts'
import type { Sent } from './outgoing.ts'
import { forwardStream } from './streaming.ts'
import { observeEnds } from './observe-ends.ts'
import { forwardWhole, readAnswer } from './whole.ts'
import type { Recipient } from './recipient.ts'

export type AnswerConfig = Pick<RelayConfig, 'UPSTREAM_IDLE_TIMEOUT_MS' | 'MAX_READ_ANSWER_BYTES'> & {
  MAX_FRAME_BYTES: number
}

export interface AnswerOptions {
  call: RelayCall
  sent: Sent
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
  /** The most tokens of output that are thought to come. */
  mostOutputTokens: number
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
  try {
    return await forward(answer, res, options)
  } catch (error) {
    // Nobody reads on, and the connection would wait for somebody who does.
    answer.body.destroy()
    throw error
  }
}

async function forward(answer: Answered, res: Recipient, options: AnswerOptions): Promise<End> {
  const { call, sent, provider } = options
  const { status } = answer
  refuseNoAnswer(answer, call, provider)
  const plain = decoded(answer, call.method)
  plain?.on('error', () => undefined)
  const body = status < 400 ? (plain ?? answer.body) : withoutKey(plain ?? answer.body, answer.secret)
  const { translation } = sent.destination
  // A stream may lose its usage and be given an error at its end.
  writeHead(answer, res, options, plain !== undefined || translation !== undefined || isStream(answer))
  const { problem, ...end } = isStream(answer)
    ? await stream(body, res, options)
    : await whole(body, res, answer, options)
  if (!problem) {
    const error = status >= 400 ? String(status) : end.observed.failed ? 'provider_error' : undefined
    return { ...end, result: error === undefined ? 'answered' : 'failed', error }
  }
  const { code } = problem
  if (code === 'client_closed') return { ...end, result: 'aborted', error: code }
  call.log.warn({ code, provider: provider.name, detail: problem.message }, 'the answer broke off')
  return { ...end, result: 'failed', error: code }
}

/**
 * What no provider's API answers: a status that is none, a redirect, which would lead a client out of the platform with its credential, and a page
 * of some server in between where a model was asked.
 */
function refuseNoAnswer(
  { status, headers }: Answered,
  { operation }: RelayCall,
  { name }: ProviderDefinition,
): void {
  if (status < 200 || status > 599) {
    throw new Problem('upstream_failed', `${name} answered with a status that HTTP does not have.`)
  }
  const isRedirect = status >= 300 && status < 400 && status !== 304
  const isPage = status === 200 && operation !== 'other' && !/json|^text\/event-stream/.test(typeOf(headers))
  if (!isRedirect && !isPage) return
  const what = isRedirect ? 'a redirect, which is not followed' : 'what is no answer of a model'
  throw new Problem('upstream_failed', `${name} answered with ${what}.`)
}

type Told = Pick<End, 'observed' | 'estimatedOutputTokens'> & { problem: Problem | undefined }

async function stream(body: Readable, res: Recipient, options: AnswerOptions): Promise<Told> {
  const { call, sent, provider, config, deadline, keep } = options
  const { path, translation } = sent.destination
  const observer = provider.protocol.observeStream(path)
  const { problem, copy } = await forwardStream(body, res, {
    ...{ observer, path, deadline },
    hidesUsage: sent.hidesUsage,
    translation: translation?.startStream(),
    protocol: call.protocol,
    name: provider.name,
    maxFrameBytes: config.MAX_FRAME_BYTES,
    idleMs: config.UPSTREAM_IDLE_TIMEOUT_MS,
    copyBytes: keep ? config.MAX_READ_ANSWER_BYTES : 0,
    onFirstFrame: options.onFirstFrame,
  })
  const observed = observer.observed()
  if (keep && copy && !observed.failed) keep(cacheable(res, copy))
  // What is counted while it streams is not of the whole.
  const isCounted = observed.usage && !problem && !observed.failed
  return {
    problem,
    observed,
    ...(!isCounted && { estimatedOutputTokens: estimateTokens(observer.textBytes()) }),
  }
}

async function whole(
  body: Readable,
  res: Recipient,
  { status, headers }: Answered,
  { call, sent, provider, config, deadline, keep, mostOutputTokens }: AnswerOptions,
): Promise<Told> {
  const options = {
    ...{ name: provider.name, deadline },
    idleMs: config.UPSTREAM_IDLE_TIMEOUT_MS,
    copyBytes: config.MAX_READ_ANSWER_BYTES,
  }
  const { translation } = sent.destination
  if (translation) {
    const answer = await readAnswer(body, res, options)
    const told = status < 400 ? translation.answer(answer) : translation.errorAnswer(status, answer)
    res.setHeader('Content-Type', 'application/json')
    res.setHeader('Content-Length', told.length)
    res.end(told)
    const read = status < 400 ? observe(answer, provider) : undefined
    const observed = read ?? UNKNOWN
    if (status === 200 && read && !read.failed) keep?.(cacheable(res, told))
    return {
      problem: undefined,
      observed,
      ...(!observed.usage && { estimatedOutputTokens: estimateWritten(answer) }),
    }
  }
  const isRead = status < 400 && call.operation !== 'other' && isJsonType(headers)
  const { problem, copy } = await forwardWhole(body, res, isRead ? options : { ...options, copyBytes: 0 })
  const bytes = copy.whole()
  if (!isRead) return { problem, observed: UNKNOWN }
  const read = bytes && !problem ? observe(bytes, provider) : undefined
  const observed = read ?? observeEnds(copy.head(), copy.tail(), provider.protocol)
  if (keep && read && bytes && status === 200 && !read.failed) keep(cacheable(res, bytes))
  if (observed.usage && !problem) return { problem, observed }
  // Of what is not at hand, all is taken for text, up to what was asked for.
  const estimatedOutputTokens = bytes
    ? estimateWritten(bytes)
    : Math.min(estimateTokens(copy.length), mostOutputTokens)
  return { problem, observed, estimatedOutputTokens }
}

function writeHead(
  { status, headers }: Answered,
  res: Recipient,
  { provider, limitHeaders, repeated, keep }: AnswerOptions,
  isChanged: boolean,
): void {
  res.statusCode = status
  const kept = responseHeaders(headers, { isChanged })
  Object.assign(kept, limitHeaders)
  if (repeated && (status >= 500 || RETRIED.has(status))) kept['x-should-retry'] = 'false'
  for (const [name, value] of Object.entries({ ...kept, ...OWN_OF_ANSWER })) res.setHeader(name, value)
  res.setHeader('X-Waybill-Provider', provider.name)
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

function estimateWritten(json: Buffer): number {
  return estimateTokens(textBytesOf(json.toString('utf8')))
}

const UNKNOWN: Observation = { finishReasons: [] }

/** Undefined when it is no JSON, whatever its head says. */
function observe(copy: Buffer, { protocol }: ProviderDefinition): Observation | undefined {
  try {
    return protocol.readAnswer(JSON.parse(copy.toString('utf8')))
  } catch {
    return undefined
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
