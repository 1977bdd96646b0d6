import { llmProxy } from '@waybill/contracts'
import { isObject, countOf, listOf, objectOf, parseJson, textOf } from './json.ts'
import type { JsonObject } from './json.ts'
import type { Observation, Operation, Protocol, StreamObserver, TokenUsage } from './protocol.ts'

/**
 * OpenAI's API, and that of all who speak it: chat completions, legacy completions, embeddings and responses. What else is
 * below its base URL is passed on, and read as far as it looks like these.
 */
export const openAiProtocol: Protocol = {
  name: 'openai',
  requestHeaders: [
    'openai-beta',
    'openai-organization',
    'openai-project',
    'idempotency-key',
    // By these two OpenRouter tells applications apart.
    'http-referer',
    'x-title',
  ],
  credential: (key) => ({ authorization: `Bearer ${key}` }),
  operationOf: (path) => OPERATIONS.find(([ending]) => path.endsWith(ending))?.[1] ?? 'other',
  modelIn: (path) => decoded(/\/deployments\/([^/]+)\//.exec(path)?.[1]),
  streamsBy: () => false,
  readAnswer: (body) => readObject(objectOf(body)),
  observeStream: (path) => new OpenAiObserver(path),
  errorBody: llmProxy.openAiError,
  errorFrame(document, path) {
    const { error } = llmProxy.openAiError(document)
    if (!isResponses(path)) return `data: ${JSON.stringify({ error })}\n\n`
    // Its reference has the members at the top, its servers send them in `error` too, where the SDK looks for them.
    const { code, message, param } = error
    const event = { type: 'error', code: code ?? error.type, message, param, sequence_number: 0, error }
    return `event: error\ndata: ${JSON.stringify(event)}\n\n`
  },
}

/** By the end of the path, the more specific first: providers put this API below paths of their own. */
const OPERATIONS: readonly (readonly [ending: string, operation: Operation])[] = [
  ['/chat/completions', 'chat'],
  ['/agents/completions', 'chat'],
  ['/responses', 'chat'],
  ['/completions', 'text_completion'],
  ['/embeddings', 'embeddings'],
]

const isResponses = (path: string) => path.endsWith('/responses')

/** A chunk that neither ends a choice nor counts tokens says nothing that the first one did not: those are most of them. */
const SAYS_MORE = /"(?:finish_reason|usage|error)"\s*:\s*[^\sn]/
const END_OF_RESPONSE = new Set<unknown>([
  'response.completed',
  'response.failed',
  'response.incomplete',
  'error',
])

class OpenAiObserver implements StreamObserver {
  readonly #isResponses: boolean
  #ended: boolean
  #seen: Observation = { finishReasons: [] }

  constructor(path: string) {
    this.#isResponses = isResponses(path)
    // Of other streams (files, speech, assistants) no end mark is known to be always there.
    this.#ended = openAiProtocol.operationOf(path) === 'other'
  }

  frame(event: string, data: string): void {
    if (data === '[DONE]') {
      this.#ended = true
      return
    }
    if (this.#isResponses && event !== '' && event.endsWith('.delta')) return
    if (this.#seen.id !== undefined && !this.#isResponses && !SAYS_MORE.test(data)) return
    const chunk = parseJson(data)
    if (!isObject(chunk)) return
    if (isObject(chunk.error) || (this.#isResponses && END_OF_RESPONSE.has(chunk.type))) this.#ended = true
    const { id, model, finishReasons, usage } = readObject(isObject(chunk.response) ? chunk.response : chunk)
    this.#seen = {
      id: this.#seen.id ?? id,
      model: this.#seen.model ?? model,
      finishReasons: [...this.#seen.finishReasons, ...finishReasons],
      usage: usage ?? this.#seen.usage,
    }
  }

  observed(): Observation {
    return this.#seen
  }

  ended(): boolean {
    return this.#ended
  }
}

/** What a completion, a chunk of one, a list of embeddings or a response says of itself. */
function readObject(body: JsonObject): Observation {
  const finishReasons = listOf(body.choices).flatMap((choice) => textOf(objectOf(choice).finish_reason) ?? [])
  if (body.object === 'response') finishReasons.push(...endOfResponse(body))
  return { id: textOf(body.id), model: textOf(body.model), finishReasons, usage: readUsage(body.usage) }
}

function endOfResponse({ status, incomplete_details: details }: JsonObject): string[] {
  if (status === 'incomplete') return [textOf(objectOf(details).reason) ?? status]
  return status === 'completed' || status === 'failed' ? [status] : []
}

function readUsage(value: unknown): TokenUsage | undefined {
  const usage = objectOf(value)
  const inputTokens = countOf(usage.prompt_tokens ?? usage.input_tokens)
  const outputTokens = countOf(usage.completion_tokens ?? usage.output_tokens)
  if (inputTokens === undefined && outputTokens === undefined) return undefined
  const details = objectOf(usage.prompt_tokens_details ?? usage.input_tokens_details)
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    cachedInputTokens: countOf(details.cached_tokens) ?? 0,
  }
}

function decoded(segment: string | undefined): string | undefined {
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment)
  } catch {
    return segment
  }
}
