import type { IncomingMessage } from 'node:http'
import { Problem, requestContext } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Inference } from '@waybill/telemetry'
import { createOutputText } from '../protocols/output-text.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { Routing } from '../routing/routing.ts'
import type { CallOutcome, Meter, MeteredRun } from '../usage/meter.ts'
import { admitted } from './admission.ts'
import { answerWith } from './answer.ts'
import type { AnswerConfig, End } from './answer.ts'
import { attempt } from './attempts.ts'
import type { AttemptOptions } from './attempts.ts'
import { sendCached } from './cached.ts'
import type { RelayCall } from './call.ts'
import type { RelayConfig } from './config.ts'
import { estimateOf, isDeferred } from './estimate.ts'
import { isGone, ofFailure, ofUsed, wasSent } from './failure.ts'
import type { Loop } from './loop.ts'
import { inferenceOf, serverOf } from './telemetry.ts'
import type { Recipient } from './recipient.ts'

export interface RelayOptions extends Pick<AttemptOptions, 'keys' | 'cache' | 'upstream'> {
  meter: Meter
  routing: Pick<Routing, 'attempts'>
  loop: Loop
  config: RelayConfig & AnswerConfig
}

export interface Relay {
  /**
   * Does `work` with a request once its user may make it: one whose body costs something to read has its request and its place
   * before that, and the call says so (`hasEntered`).
   * @throws Problem rate_limited
   */
  admitted<T>(
    req: Pick<IncomingMessage, 'headers'>,
    principal: UserPrincipal,
    work: (hasEntered: boolean) => Promise<T>,
  ): Promise<T>
  /**
   * Takes a request to a provider, with the user's own key, and its answer to the client. Returns when all is over, also
   * when the answer broke midway, which the client has been told then.
   * @throws Problem as long as nothing of an answer has gone out
   */
  relay(call: RelayCall, res: Recipient): Promise<void>
}

/** What became of a call, and where, as far as it is known. */
interface Ended extends End, Pick<CallOutcome, 'unused'> {
  provider?: ProviderDefinition
  model?: string | undefined
  keyId?: string | undefined
  /** What the model wrote, where that is captured. */
  output?: (() => string) | undefined
}

export function createRelay(options: RelayOptions): Relay {
  return {
    admitted: (req, principal, work) => admitted(options.meter, req, principal, work),

    async relay(call, res) {
      options.loop.refuse(call.headers)
      const { principal, provider, model = '', operation, stream, hasEntered, signal } = call
      const estimate = estimateOf(call.draft, operation, options.config)
      const mostOutputTokens = estimate.estimatedTokens - estimate.estimatedInputTokens
      const unmetered = call.unmetered === true || (call.draft !== undefined && isDeferred(call.draft))
      const run = await options.meter.begin({
        ...{ principal, model, operation, stream, unmetered, hasEntered, ...estimate },
        provider: provider.name,
      })
      // However it ends, and whatever is thrown on the way: what was reserved is given back, once.
      const ended: Ended = { result: 'failed', observed: { finishReasons: [] }, unused: true }
      let inference: Inference | undefined
      try {
        signal.throwIfAborted()
        inference = inferenceOf(call)
        call.draft?.forget('body')
        await serve(call, res, ended, { ...options, run, inference, mostOutputTokens })
      } catch (error) {
        if (isGone(signal)) ended.result = 'aborted'
        ended.error = error instanceof Problem ? error.code : 'internal'
        throw ended.unused === true ? error : ofUsed(error)
      } finally {
        if (unmetered) assumeMost(ended, mostOutputTokens)
        settle(ended, call, run, inference)
      }
    },
  }
}

interface ServeOptions extends RelayOptions {
  run: MeteredRun
  inference: Inference | undefined
  mostOutputTokens: number
}

/** `ended` says at each moment what would be true, were that the end. */
async function serve(call: RelayCall, res: Recipient, ended: Ended, options: ServeOptions): Promise<void> {
  const { config, routing, loop, cache, keys, upstream, run, inference } = options
  const { provider, operation, model, alias } = call
  const deadline = deadlineOf(config)
  const attempts = routing.attempts({
    provider,
    operation,
    model,
    alias,
    repeatable: call.body === undefined,
  })
  const trying = () =>
    attempt(call, attempts, {
      ...{ cache, keys, upstream, deadline },
      via: loop.via(call.headers),
      connectMs: config.UPSTREAM_CONNECT_TIMEOUT_MS,
      firstByteMs: config.UPSTREAM_FIRST_BYTE_TIMEOUT_MS,
    }).catch((error: unknown) => {
      ended.unused = !wasSent(error)
      throw ofFailure(error, provider.name, attempts)
    })
  const reached = await (inference ? inference.run(trying) : trying())
  const { target, sent, keyId, cacheKey, result } = reached
  // Nothing is sent any more.
  call.draft?.forget('all')
  const who = { provider: target.provider, model: target.model ?? model }
  Object.assign(ended, { ...who, keyId })
  call.answeredBy?.(who)
  if ('cached' in result) {
    sendCached(result.cached, res, { ...run.headers, 'X-Waybill-Provider': target.provider.name })
    ended.result = 'cached'
    return
  }
  ended.unused = result.answer.status >= 300
  const output = inference?.capturesContent === true ? createOutputText() : undefined
  ended.output = output?.text
  const end = await answerWith(result.answer, res, {
    ...{ call, sent, deadline, config },
    provider: output
      ? { ...target.provider, protocol: output.reading(target.provider.protocol) }
      : target.provider,
    mostOutputTokens: options.mostOutputTokens,
    limitHeaders: run.headers,
    repeated: attempts.repeated,
    onFirstFrame: () => inference?.firstChunk(),
    keep: cacheKey && ((answer) => cache.set(cacheKey, answer)),
  })
  ended.model ??= end.observed.model
  Object.assign(ended, end)
}

/**
 * What cannot be counted is taken to use all that was reserved for it, unless the provider has said what it used, or that it failed:
 * nothing more will be heard of it, and it may go on when the client has left.
 */
function assumeMost(ended: Ended, mostOutputTokens: number): void {
  const { usage, failed } = ended.observed
  if (usage || failed) return
  ended.estimatedOutputTokens = Math.max(mostOutputTokens, ended.estimatedOutputTokens ?? 0)
}

function settle(ended: Ended, call: RelayCall, run: MeteredRun, inference: Inference | undefined): void {
  const { provider, model, keyId, result, observed, estimatedOutputTokens, unused, output, error } = ended
  run.end({
    ...{ model, keyId, result, estimatedOutputTokens, unused },
    provider: provider?.name,
    usage: observed.usage,
    responseModel: observed.model,
  })
  inference?.end({
    ...observed,
    ...{ output, error },
    ...(provider &&
      provider !== call.provider && {
        answeredBy: { provider: provider.telemetryName, server: serverOf(provider) },
      }),
  })
}

/** Time enough for our own last word, before the request is cut off at its own deadline. */
const LAST_WORD_MS = 250

function deadlineOf({ UPSTREAM_TOTAL_TIMEOUT_MS }: RelayConfig): number {
  const own = Date.now() + UPSTREAM_TOTAL_TIMEOUT_MS
  const callers = requestContext()?.deadline
  return callers === undefined ? own : Math.min(own, callers - LAST_WORD_MS)
}
