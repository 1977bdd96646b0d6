import { Problem, requestContext } from '@waybill/service-kit'
import type { Inference } from '@waybill/telemetry'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { Routing } from '../routing/routing.ts'
import type { Meter, MeteredRun } from '../usage/meter.ts'
import { answerWith } from './answer.ts'
import type { AnswerConfig, End } from './answer.ts'
import { attempt } from './attempts.ts'
import type { AttemptOptions } from './attempts.ts'
import { sendCached } from './cached.ts'
import type { RelayCall } from './call.ts'
import type { RelayConfig } from './config.ts'
import { estimateInput } from './estimate.ts'
import { isGone, ofFailure } from './failure.ts'
import { refuseLoop } from './loop.ts'
import { inferenceOf, serverOf } from './telemetry.ts'
import type { Recipient } from './recipient.ts'

export interface RelayOptions extends Pick<AttemptOptions, 'keys' | 'cache' | 'upstream'> {
  meter: Meter
  routing: Pick<Routing, 'attempts'>
  config: RelayConfig & AnswerConfig
}

export interface Relay {
  /**
   * Takes a request to a provider, with the user's own key, and its answer to the client. Returns when all is over, also
   * when the answer broke midway, which the client has been told then.
   * @throws Problem as long as nothing of an answer has gone out
   */
  relay(call: RelayCall, res: Recipient): Promise<void>
}

/** What became of a call, and where. */
interface Ended extends End {
  provider?: ProviderDefinition
  model?: string | undefined
  keyId?: string | undefined
}

export function createRelay(options: RelayOptions): Relay {
  return {
    async relay(call, res) {
      refuseLoop(call.headers)
      const { principal, provider, model = '', operation, stream, signal } = call
      const run = await options.meter.begin({
        ...{ principal, model, operation, stream },
        provider: provider.name,
        ...estimateOf(call, options.config),
      })
      const inference = inferenceOf(call)
      // However it ends, and whatever is thrown on the way: what was reserved is given back, once.
      let ended: Ended = { result: 'failed', observed: { finishReasons: [] } }
      try {
        signal.throwIfAborted()
        ended = await served(call, res, { ...options, run, inference })
      } catch (error) {
        if (isGone(signal)) ended.result = 'aborted'
        ended.error = error instanceof Problem ? error.code : 'internal'
        throw error
      } finally {
        settle(ended, call, run, inference)
      }
    },
  }
}

async function served(
  call: RelayCall,
  res: Recipient,
  options: RelayOptions & { run: MeteredRun; inference: Inference | undefined },
): Promise<Ended> {
  const { config, routing, cache, keys, upstream, run, inference } = options
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
      connectMs: config.UPSTREAM_CONNECT_TIMEOUT_MS,
      firstByteMs: config.UPSTREAM_FIRST_BYTE_TIMEOUT_MS,
    }).catch((error: unknown) => {
      throw ofFailure(error, provider.name, attempts)
    })
  const reached = await (inference ? inference.run(trying) : trying())
  const { target, outgoing, keyId, cacheKey, result } = reached
  const who = { provider: target.provider, model: target.model ?? model, keyId }
  if ('cached' in result) {
    sendCached(result.cached, res, run.headers)
    return { ...who, observed: { finishReasons: [] }, result: 'cached' }
  }
  const end = await answerWith(result.answer, res, {
    ...{ call, outgoing, deadline, config, provider: target.provider },
    limitHeaders: run.headers,
    repeated: attempts.repeated,
    onFirstFrame: () => inference?.firstChunk(),
    keep: cacheKey && ((answer) => cache.set(cacheKey, answer)),
  })
  return { ...end, ...who, model: who.model ?? end.observed.model }
}

function settle(ended: Ended, call: RelayCall, run: MeteredRun, inference: Inference | undefined): void {
  const { provider, model, keyId, result, observed, estimatedOutputTokens, error } = ended
  run.end({
    ...{ model, keyId, result, estimatedOutputTokens },
    provider: provider?.name,
    usage: observed.usage,
  })
  inference?.end({
    ...observed,
    error,
    ...(provider &&
      provider !== call.provider && {
        answeredBy: { provider: provider.telemetryName, server: serverOf(provider) },
      }),
  })
}

/** The most that the call is thought to use. Where nobody knows what is asked, there are no tokens to count. */
function estimateOf({ draft, operation }: RelayCall, { UNSTATED_OUTPUT_TOKENS }: RelayConfig) {
  if (!draft || operation === 'other') return { estimatedTokens: 0 }
  const estimatedInputTokens = estimateInput(draft.body)
  const output = operation === 'embeddings' ? 0 : (draft.maxTokens ?? UNSTATED_OUTPUT_TOKENS)
  return { estimatedInputTokens, estimatedTokens: estimatedInputTokens + output }
}

/** Time enough for our own last word, before the request is cut off at its own deadline. */
const LAST_WORD_MS = 250

function deadlineOf({ UPSTREAM_TOTAL_TIMEOUT_MS }: RelayConfig): number {
  const own = Date.now() + UPSTREAM_TOTAL_TIMEOUT_MS
  const callers = requestContext()?.deadline
  return callers === undefined ? own : Math.min(own, callers - LAST_WORD_MS)
}
