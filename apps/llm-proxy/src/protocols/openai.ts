import { llmProxy } from '@waybill/contracts'
import { ChoiceEnds } from './choice-ends.ts'
import { isObject, countOf, listOf, objectOf, parseJson, textOf } from './json.ts'
import type { JsonObject } from './json.ts'
import { judgedPath } from './judged-path.ts'
import type { Observation, Operation, Protocol, StreamObserver, TokenUsage } from './protocol.ts'
import { textBytesOf } from './text-bytes.ts'

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
  operationOf(path) {
    const judged = judgedPath(path)
    return OPERATIONS.find(([ending]) => judged.endsWith(ending))?.[1] ?? 'other'
  },
  isFree: (path, vendor) =>
    judgedPath(path).endsWith('/responses/input_tokens') ||
    // Mistral takes money for it.
    (vendor === 'openai' && judgedPath(path).endsWith('/moderations')),
  modelIn: (path) => decoded(/\/deployments\/([^/]+)\//i.exec(path)?.[1]),
  streamsBy: () => false,
  readAnswer: (body) => readObject(objectOf(body)),
  observeStream: (path) => new OpenAiObserver(path),
  errorBody: llmProxy.openAiError,
  errorFrame(document, path, number = 0) {
    const { error } = llmProxy.openAiError(document)
    if (!isResponses(path)) return `data: ${JSON.stringify({ error })}\n\n`
    // Its reference has the members at the top, its servers send them in `error` too, where the SDK looks for them.
    const { code, message, param } = error
    const event = { type: 'error', code: code ?? error.type, message, param, sequence_number: number, error }
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

const isResponses = (path: string) => judgedPath(path).endsWith('/responses')

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
  readonly #isCompletion: boolean
  readonly #ends = new ChoiceEnds()
  #ended: boolean
  #seen: Observation = { finishReasons: [] }
  #textBytes = 0
  /** Of responses: the data of the last frame, which says its number. */
  #last = ''

  constructor(path: string) {
    const isOther = openAiProtocol.operationOf(path) === 'other'
    this.#isResponses = isResponses(path)
    this.#isCompletion = !isOther && !this.#isResponses
    // Of other streams (files, speech, assistants) no end mark is known to be always there.
    this.#ended = isOther
  }

  frame(event: string, data: string): void {
    if (data === '[DONE]') {
      this.#ended = true
      return
    }
    if (this.#isResponses) this.#last = data
    // Other streams say all of it once more at the end of each part.
    if (this.#isCompletion || event.endsWith('.delta')) this.#textBytes += textBytesOf(data)
    if (this.#isResponses && event.endsWith('.delta')) return
    if (this.#seen.id !== undefined && !this.#isResponses && !SAYS_MORE.test(data)) return
    const chunk = parseJson(data)
    if (!isObject(chunk)) return
    if (this.#isResponses && textOf(chunk.type)?.endsWith('.delta')) this.#textBytes += textBytesOf(data)
    if (isObject(chunk.error) || (this.#isResponses && END_OF_RESPONSE.has(chunk.type))) this.#ended = true
    const read = readObject(isObject(chunk.response) ? chunk.response : chunk, this.#ends)
    const { id, model, finishReasons, usage } = read
    const isError = this.#isResponses && chunk.type === 'error'
    this.#seen = {
      id: this.#seen.id ?? id,
      model: this.#seen.model ?? model,
      finishReasons,
      usage: usage ?? this.#seen.usage,
      failed: this.#seen.failed ?? read.failed ?? (isError ? true : undefined),
    }
  }

  observed(): Observation {
    return this.#seen
  }

  textBytes(): number {
    return this.#textBytes
  }

  ended(): boolean {
    return this.#ended
  }

  nextNumber(): number {
    const { sequence_number: last } = objectOf(parseJson(this.#last))
    return typeof last === 'number' ? last + 1 : 0
  }
}

/** What a completion, a chunk of one, a list of embeddings or a response says of itself, and of its choices so far. */
function readObject(body: JsonObject, ends = new ChoiceEnds()): Observation {
  for (const [at, choice] of listOf(body.choices).map(objectOf).entries()) {
    ends.add(choice.index ?? at, textOf(choice.finish_reason))
  }
  if (body.object === 'response') ends.add(0, endOfResponse(body))
  return {
    id: textOf(body.id),
    model: textOf(body.model),
    finishReasons: ends.reasons(),
    usage: readUsage(body.usage),
    ...((isObject(body.error) || (body.object === 'response' && body.status === 'failed')) && {
      failed: true,
    }),
  }
}

function endOfResponse({ status, incomplete_details: details }: JsonObject): string | undefined {
  if (status === 'incomplete') return textOf(objectOf(details).reason) ?? status
  return status === 'completed' || status === 'failed' ? status : undefined
}

function readUsage(value: unknown): TokenUsage | undefined {
  const usage = objectOf(value)
  const inputTokens = countOf(usage.prompt_tokens ?? usage.input_tokens)
  const outputTokens = countOf(usage.completion_tokens ?? usage.output_tokens)
  if (inputTokens === undefined && outputTokens === undefined) return undefined
  const details = objectOf(usage.prompt_tokens_details ?? usage.input_tokens_details)
  const ofOutput = objectOf(usage.completion_tokens_details ?? usage.output_tokens_details)
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    cachedInputTokens: countOf(details.cached_tokens) ?? 0,
    // OpenRouter says it, for models that ask to be told what to keep.
    cacheWriteTokens: countOf(details.cache_write_tokens),
    reasoningTokens: countOf(ofOutput.reasoning_tokens),
  }
}

function decoded(segment: string | undefined): string | undefined {
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment)
  } catch {
    return segment
  }
}
