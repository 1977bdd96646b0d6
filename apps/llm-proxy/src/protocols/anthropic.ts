import { llmProxy } from '@waybill/contracts'
import { countOf, isObject, objectOf, parseJson, textOf } from './json.ts'
import type { JsonObject } from './json.ts'
import { judgedPath } from './judged-path.ts'
import type { Observation, Operation, Protocol, StreamObserver, TokenUsage } from './protocol.ts'
import { textBytesOf } from './text-bytes.ts'

/** The version of the API that is asked for where the client says none; without one every request is refused. */
export const ANTHROPIC_VERSION = { 'anthropic-version': '2023-06-01' } as const

/** Anthropic's API: messages, their tokens counted, legacy completions; what else there is, is passed on. */
export const anthropicProtocol: Protocol = {
  name: 'anthropic',
  requestHeaders: ['anthropic-version', 'anthropic-beta', 'idempotency-key'],
  credential: (key) => ({ 'x-api-key': key }),
  operationOf,
  isFree: (path) => judgedPath(path).endsWith('/messages/count_tokens'),
  modelIn: () => undefined,
  streamsBy: () => false,
  readAnswer: (body) => readMessage(objectOf(body)),
  observeStream: (path) => new AnthropicObserver(operationOf(path) !== 'chat'),
  errorBody: llmProxy.anthropicError,
  // The SDK passes over frames without an event name.
  errorFrame: (document) => `event: error\ndata: ${JSON.stringify(llmProxy.anthropicError(document))}\n\n`,
}

function operationOf(path: string): Operation {
  const judged = judgedPath(path)
  if (judged.endsWith('/messages')) return 'chat'
  return judged.endsWith('/complete') ? 'text_completion' : 'other'
}

/** The frames that say something of the message as a whole. */
const TELLING = new Set(['message_start', 'message_delta', 'message_stop', 'error', ''])
/** Those that bring what the model writes; legacy completions have the second. */
const WRITING = new Set(['content_block_delta', 'completion'])

class AnthropicObserver implements StreamObserver {
  #ended: boolean
  #seen: Observation = { finishReasons: [] }
  #usage: JsonObject = {}
  #textBytes = 0

  /** `endsAnyhow`: a stream of which no end mark is known. */
  constructor(endsAnyhow: boolean) {
    this.#ended = endsAnyhow
  }

  frame(event: string, data: string): void {
    if (WRITING.has(event)) this.#textBytes += textBytesOf(data)
    if (!TELLING.has(event)) return
    const parsed = objectOf(parseJson(data))
    if (event === '' && WRITING.has(textOf(parsed.type) ?? '')) this.#textBytes += textBytesOf(data)
    if (parsed.type === 'message_stop' || parsed.type === 'error') this.#ended = true
    if (parsed.type === 'error') this.#seen = { ...this.#seen, failed: true }
    if (parsed.type === 'message_start') {
      this.#seen = readMessage(objectOf(parsed.message))
      this.#count(objectOf(parsed.message).usage)
    }
    if (parsed.type === 'message_delta') {
      const reason = textOf(objectOf(parsed.delta).stop_reason)
      if (reason !== undefined) this.#seen = { ...this.#seen, finishReasons: [reason] }
      this.#count(parsed.usage)
    }
  }

  observed(): Observation {
    return { ...this.#seen, usage: readUsage(this.#usage) }
  }

  textBytes(): number {
    return this.#textBytes
  }

  ended(): boolean {
    return this.#ended
  }

  /** The counts of a later frame are of the whole message so far, and stand in the place of those before it. */
  #count(usage: unknown): void {
    const counted = Object.entries(objectOf(usage)).filter(([, value]) => countOf(value) !== undefined)
    this.#usage = { ...this.#usage, ...Object.fromEntries(counted) }
  }
}

function readMessage(message: JsonObject): Observation {
  const reason = textOf(message.stop_reason)
  return {
    id: textOf(message.id),
    model: textOf(message.model),
    finishReasons: reason === undefined ? [] : [reason],
    usage: readUsage(message.usage),
    ...(message.type === 'error' && { failed: true }),
  }
}

/** Anthropic counts what came from its cache, and what was put there, apart from the rest of the input. */
function readUsage(value: unknown): TokenUsage | undefined {
  if (!isObject(value)) return undefined
  const inputTokens = countOf(value.input_tokens)
  const outputTokens = countOf(value.output_tokens)
  if (inputTokens === undefined && outputTokens === undefined) return undefined
  const cachedInputTokens = countOf(value.cache_read_input_tokens) ?? 0
  const cacheWriteTokens = countOf(value.cache_creation_input_tokens)
  return {
    inputTokens: (inputTokens ?? 0) + cachedInputTokens + (cacheWriteTokens ?? 0),
    outputTokens: outputTokens ?? 0,
    cachedInputTokens,
    cacheWriteTokens,
  }
}
