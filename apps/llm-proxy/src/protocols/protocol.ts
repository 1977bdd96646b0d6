import type { ProblemDocument } from '@waybill/service-kit'

/** What a request asks of a model, by the names of OpenTelemetry's GenAI conventions (`gen_ai.operation.name`); `other` is none of them. */
export type Operation = 'chat' | 'text_completion' | 'embeddings' | 'generate_content' | 'other'

/** Tokens as the provider counted them. */
export interface TokenUsage {
  /** All of the input, what came from a cache included. */
  inputTokens: number
  outputTokens: number
  /** Those of the input that came from the provider's cache. */
  cachedInputTokens: number
  /** Those of the input that were put into its cache; undefined where it does not say. */
  cacheWriteTokens?: number | undefined
  /** Those of the output that nobody sees; undefined where it does not say. */
  reasoningTokens?: number | undefined
}

/** What an answer says of itself. */
export interface Observation {
  id?: string | undefined
  model?: string | undefined
  /** One of each choice, of a few choices at most. */
  finishReasons: readonly string[]
  /** The provider said, in an answer that had begun or that says it is a good one, that it failed. */
  failed?: boolean | undefined
  /** Absent when the provider did not say, or not yet. */
  usage?: TokenUsage | undefined
}

/** Reads along with an answer that streams, and never changes it. */
export interface StreamObserver {
  /** One frame's `event` ('' when it has none) and `data`. Data that cannot be read is passed over. */
  frame(event: string, data: string): void
  /** What is known so far. */
  observed(): Observation
  /** How much the model has written so far, in bytes: what it says and thinks, and the arguments of its tools. */
  textBytes(): number
  /** Whether the protocol's own end of the stream has come: `[DONE]`, `message_stop`, ... */
  ended(): boolean
  /** The number that the next frame would have, of protocols that number them. */
  nextNumber?(): number
}

/**
 * The wire protocol of a vendor: where its credential and its errors stand, and how usage is read. Nothing here changes
 * what a client or a provider sent.
 */
export interface Protocol {
  name: 'openai' | 'anthropic' | 'gemini'
  /** The request headers that may go to the provider, beside those that every provider gets. Lower case. */
  requestHeaders: readonly string[]
  /** The header that the user's key stands in, and what else has to be sent with it, on this path. */
  credential(key: string, path: string): Record<string, string>
  /**
   * By the path below the provider's base URL, without query: `/v1/chat/completions`, `/v1beta/models/x:generateContent`. Like
   * all that is told by a path, whatever its case, and with or without a slash at its end: some servers do not mind.
   */
  operationOf(path: string): Operation
  /** Whether what the path asks costs nothing at this vendor (`gen_ai.provider.name`): tokens counted; at OpenAI, texts moderated. */
  isFree(path: string, vendor: string): boolean
  /** The model that the path names, where the protocol puts it there (Gemini, Azure deployments). */
  modelIn(path: string): string | undefined
  /** Whether the path asks for a stream, where the protocol puts that there. */
  streamsBy(path: string): boolean
  readAnswer(body: unknown): Observation
  observeStream(path: string): StreamObserver
  /** Our own errors in the protocol's shape, for an answer that has not begun. */
  errorBody(document: ProblemDocument): unknown
  /** The last frame of a stream that broke: the vendor's SDK throws on it. Ends with an empty line. `number`: see `nextNumber`. */
  errorFrame(document: ProblemDocument, path: string, number?: number): string
}
