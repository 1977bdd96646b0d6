import { llmProxy } from '@waybill/contracts'
import { countOf, isObject, listOf, objectOf, parseJson, textOf } from './json.ts'
import type { JsonObject } from './json.ts'
import { openAiProtocol } from './openai.ts'
import type { Observation, Operation, Protocol, StreamObserver, TokenUsage } from './protocol.ts'

/** Below it, Gemini speaks OpenAI's protocol. */
const isOpenAi = (path: string) => path.includes('/openai/')

/** Google's Gemini API: generateContent and its stream, embedContent, countTokens; what else there is, is passed on. */
export const geminiProtocol: Protocol = {
  name: 'gemini',
  requestHeaders: ['x-goog-api-client', 'x-server-timeout'],
  credential: (key) => ({ 'x-goog-api-key': key }),
  operationOf: (path) =>
    isOpenAi(path) ? openAiProtocol.operationOf(path) : (OPERATIONS.get(methodOf(path)) ?? 'other'),
  modelIn(path) {
    const model = /\/(?:models\/|(?=tunedModels\/))([^:]+):/.exec(path)?.[1]
    return model === undefined || isOpenAi(path) ? undefined : model
  },
  streamsBy: (path) => methodOf(path) === 'streamGenerateContent',
  readAnswer(body) {
    // A stream without `alt=sse` is an array of what the frames hold otherwise.
    if (Array.isArray(body)) return body.map(objectOf).map(readResponse).reduce(together, NOTHING_YET)
    const answer = objectOf(body)
    return answer.object === undefined ? readResponse(answer) : openAiProtocol.readAnswer(answer)
  },
  observeStream: (path) =>
    isOpenAi(path)
      ? openAiProtocol.observeStream(path)
      : new GeminiObserver(OPERATIONS.get(methodOf(path)) !== 'generate_content'),
  errorBody: llmProxy.googleError,
  errorFrame: (document, path) =>
    isOpenAi(path)
      ? openAiProtocol.errorFrame(document, path)
      : `data: ${JSON.stringify(llmProxy.googleError(document))}\n\n`,
}

const OPERATIONS = new Map<string | undefined, Operation>([
  ['generateContent', 'generate_content'],
  ['streamGenerateContent', 'generate_content'],
  ['embedContent', 'embeddings'],
  ['batchEmbedContents', 'embeddings'],
])

/** What stands behind the colon of the last segment. */
function methodOf(path: string): string | undefined {
  return /:([A-Za-z]+)$/.exec(path)?.[1]
}

const NOTHING_YET: Observation = { finishReasons: [] }

/** There is no end mark of its own: the last chunk says why the reply ends, or why there is none. */
class GeminiObserver implements StreamObserver {
  #ended: boolean
  #seen = NOTHING_YET

  /** `endsAnyhow`: a stream of which no end is known. */
  constructor(endsAnyhow: boolean) {
    this.#ended = endsAnyhow
  }

  frame(_event: string, data: string): void {
    const chunk = parseJson(data)
    if (!isObject(chunk)) return
    const read = readResponse(chunk)
    if (read.finishReasons.length > 0 || isObject(chunk.error)) this.#ended = true
    this.#seen = together(this.#seen, read)
  }

  observed(): Observation {
    return this.#seen
  }

  ended(): boolean {
    return this.#ended
  }
}

/** What two chunks, one after the other, say of the whole. */
function together(before: Observation, { id, model, finishReasons, usage }: Observation): Observation {
  return {
    id: before.id ?? id,
    model: before.model ?? model,
    finishReasons: [...before.finishReasons, ...finishReasons],
    usage: usage ?? before.usage,
  }
}

function readResponse(body: JsonObject): Observation {
  const finishReasons = listOf(body.candidates).flatMap(
    (candidate) => textOf(objectOf(candidate).finishReason) ?? [],
  )
  const blocked = textOf(objectOf(body.promptFeedback).blockReason)
  if (blocked !== undefined) finishReasons.push(blocked)
  return {
    id: textOf(body.responseId),
    model: textOf(body.modelVersion),
    finishReasons,
    usage: readUsage(body.usageMetadata),
  }
}

/** Each chunk counts the whole so far. What the model thinks is output that is counted apart, and so is what its tools read. */
function readUsage(value: unknown): TokenUsage | undefined {
  const usage = objectOf(value)
  const prompt = countOf(usage.promptTokenCount)
  const candidates = countOf(usage.candidatesTokenCount)
  if (prompt === undefined && candidates === undefined) return undefined
  return {
    inputTokens: (prompt ?? 0) + (countOf(usage.toolUsePromptTokenCount) ?? 0),
    outputTokens: (candidates ?? 0) + (countOf(usage.thoughtsTokenCount) ?? 0),
    cachedInputTokens: countOf(usage.cachedContentTokenCount) ?? 0,
  }
}
