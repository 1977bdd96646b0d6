import type { llmProxy } from '@waybill/contracts'

export interface Model {
  /** As callers name it: `<provider>/<model>`. */
  id: string
  kind: 'chat' | 'embedding'
  /** When it was made, in seconds since the epoch. */
  created: number
  /** Of an embedding model: the length of its vectors when a request asks for none. */
  dimensions?: number
}

export interface ChatInput {
  model: string
  messages: readonly llmProxy.Message[]
  /** The tokens of the messages, counted before the provider is asked. */
  inputTokens: number
  /** No more tokens than this are wanted back. */
  maxTokens: number
  /** Whether somebody waits for the pieces; a vendor's model need not send any otherwise. */
  stream?: boolean | undefined
}

export type ChatEvent = { kind: 'delta'; text: string } | ChatEnd

export interface ChatEnd {
  kind: 'end'
  finishReason: llmProxy.LlmResponse['finish_reason']
  usage: llmProxy.Usage
  /** Who has answered, where that may be another one than was asked. */
  answeredBy?: Pick<llmProxy.LlmResponse, 'provider' | 'model'> | undefined
}

interface EmbedInput {
  model: string
  texts: readonly string[]
  /** The model's own number of dimensions unless said. */
  dimensions?: number | undefined
}

export interface Candidate {
  text: string
  /** The cosine of its embedding and the question's; 0 when unknown. */
  similarity: number
}

/** Those of the candidates that speak of what is asked, by their index, the best first; and the answer they give. */
export interface Answer {
  text: string
  sources: readonly { index: number; score: number }[]
}

/**
 * Who answers: the built-in `local` provider, or a vendor. Each method works with the models in `models` alone, stops
 * soon after `signal` is aborted, and throws a Problem that may be shown to the caller.
 */
export interface Provider {
  name: string
  models: readonly Model[]
  /** The reply in pieces as they come, then exactly one `end`. */
  chat(input: ChatInput, signal: AbortSignal): AsyncIterable<ChatEvent>
  /** One vector of length 1 per text, in order. */
  embed(input: EmbedInput, signal: AbortSignal): Promise<number[][]>
  /** At most `maxSentences` sentences that stand for the text. */
  summarize(
    input: { model: string; text: string; maxSentences: number },
    signal: AbortSignal,
  ): Promise<string[]>
  /** Undefined when none of the candidates speaks of what is asked. */
  answer(
    input: { model: string; question: string; candidates: readonly Candidate[] },
    signal: AbortSignal,
  ): Promise<Answer | undefined>
}
