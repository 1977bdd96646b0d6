import { llmProxy } from '@waybill/contracts'
import { ChoiceEnds } from './choice-ends.ts'
import { countOf, isObject, listOf, objectOf, parseJson, textOf } from './json.ts'
import type { JsonObject } from './json.ts'
import { judgedPath, plainPath } from './judged-path.ts'
import { openAiProtocol } from './openai.ts'
import type { Observation, Operation, Protocol, StreamObserver, TokenUsage } from './protocol.ts'
import { textBytesOf } from './text-bytes.ts'

/** Below `/openai/` Gemini speaks OpenAI's protocol. */
const isOpenAi = (path: string) => judgedPath(path).includes('/openai/') && methodOf(path) === undefined

/** Google's Gemini API: generateContent and its stream, embedContent, countTokens; what else there is, is passed on. */
export const geminiProtocol: Protocol = {
  name: 'gemini',
  requestHeaders: ['x-goog-api-client', 'x-server-timeout'],
  credential: (key, path) =>
    isOpenAi(path) ? openAiProtocol.credential(key, path) : { 'x-goog-api-key': key },
  operationOf: (path) =>
    isOpenAi(path) ? openAiProtocol.operationOf(path) : (OPERATIONS.get(methodOf(path)) ?? 'other'),
  isFree: (path, vendor) =>
    isOpenAi(path) ? openAiProtocol.isFree(path, vendor) : methodOf(path) === 'counttokens',
  modelIn: (path) => /\/(?:models\/|(?=tunedModels\/))([^:]+):/i.exec(plainPath(path))?.[1],
  streamsBy: (path) => methodOf(path) === 'streamgeneratecontent',
  readAnswer(body) {
    // A stream without `alt=sse` is an array of what the frames hold otherwise.
    if (Array.isArray(body)) {
      const ends = new ChoiceEnds()
      return body.map((part) => readResponse(objectOf(part), ends)).reduce(together, NOTHING_YET)
    }
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
  ['generatecontent', 'generate_content'],
  ['streamgeneratecontent', 'generate_content'],
  ['embedcontent', 'embeddings'],
  ['batchembedcontents', 'embeddings'],
])

/** What stands behind the colon of the last segment, in lower case. */
function methodOf(path: string): string | undefined {
  return /:([a-z]+)$/.exec(judgedPath(path))?.[1]
}

const NOTHING_YET: Observation = { finishReasons: [] }

/** There is no end mark of its own: the last chunk of each candidate says why it ends, or the only one why there is none. */
class GeminiObserver implements StreamObserver {
  readonly #ends = new ChoiceEnds()
  #ended: boolean
  #seen = NOTHING_YET
  #textBytes = 0

  /** `endsAnyhow`: a stream of which no end is known. */
  constructor(endsAnyhow: boolean) {
    this.#ended = endsAnyhow
  }

  frame(_event: string, data: string): void {
    const chunk = parseJson(data)
    if (!isObject(chunk)) return
    this.#textBytes += textBytesOf(data)
    const read = readResponse(chunk, this.#ends)
    if (this.#ends.allEnded() || read.failed) this.#ended = true
    this.#seen = together(this.#seen, read)
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
}

/** What two chunks, one after the other, say of the whole. */
function together(before: Observation, later: Observation): Observation {
  const { id, model, finishReasons, usage, failed } = later
  return {
    id: before.id ?? id,
    model: before.model ?? model,
    finishReasons,
    usage: usage ?? before.usage,
    failed: before.failed ?? failed,
  }
}

/** What a response, or a chunk of one, says of itself, and of its candidates so far. */
function readResponse(body: JsonObject, ends = new ChoiceEnds()): Observation {
  for (const [at, candidate] of listOf(body.candidates).map(objectOf).entries()) {
    ends.add(candidate.index ?? at, textOf(candidate.finishReason))
  }
  const blocked = textOf(objectOf(body.promptFeedback).blockReason)
  if (blocked !== undefined) ends.add(0, blocked)
  return {
    id: textOf(body.responseId),
    model: textOf(body.modelVersion),
    finishReasons: ends.reasons(),
    usage: readUsage(body.usageMetadata),
    ...(isObject(body.error) && { failed: true }),
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
    reasoningTokens: countOf(usage.thoughtsTokenCount),
  }
}
