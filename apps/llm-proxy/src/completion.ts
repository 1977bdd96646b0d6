import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Models } from './models.ts'
import type { ChatEvent } from './provider.ts'
import { DEFAULT_ENCODING, encodingOf } from './tokens/encodings.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'
import type { Used } from './usage/local-calls.ts'

export interface CompletionOptions {
  models: Models
  tokenizer: Tokenizer
  maxInputTokens: number
  maxOutputTokens: number
}

export interface CompletionRequest {
  model?: string | undefined
  messages: readonly llmProxy.Message[]
  maxTokens?: number | undefined
  stream?: boolean | undefined
}

/** A reply that is about to come; whatever can be wrong with the request is known by now. */
export interface Completion {
  model: string
  provider: string
  events: AsyncIterable<ChatEvent>
}

export interface WholeCompletion {
  model: string
  provider: string
  output: string
  finishReason: llmProxy.LlmResponse['finish_reason']
  usage: llmProxy.Usage
}

/**
 * Returns the completion of a conversation, not yet begun; `used` is told at its end, where the model is one of ours.
 * @throws Problem not_found or bad_request for the model, payload_too_large for too many tokens
 */
export async function startCompletion(
  request: CompletionRequest,
  { models, tokenizer, maxInputTokens, maxOutputTokens }: CompletionOptions,
  signal: AbortSignal,
  used: Used = () => undefined,
): Promise<Completion> {
  const { provider, model, isOwn } = models.resolve(request.model, 'chat')
  const encoding = encodingOf(model) ?? DEFAULT_ENCODING
  let inputTokens = 0
  for (const message of request.messages) {
    inputTokens += await tokenizer.count(message.content, encoding, signal)
    if (inputTokens > maxInputTokens) {
      throw new Problem(
        'payload_too_large',
        `The messages have more than ${String(maxInputTokens)} tokens, the most that are taken (MAX_INPUT_TOKENS).`,
        { extensions: { param: 'messages', reason: 'context_length_exceeded' } },
      )
    }
  }
  const maxTokens = Math.min(request.maxTokens ?? maxOutputTokens, maxOutputTokens)
  const { messages, stream } = request
  const input = { model, messages, inputTokens, maxTokens, stream }
  const events = provider.chat(input, signal)
  return { model, provider: provider.name, events: isOwn ? toldOf(events, used) : events }
}

async function* toldOf(events: AsyncIterable<ChatEvent>, used: Used): AsyncGenerator<ChatEvent> {
  for await (const event of events) {
    if (event.kind === 'end') used(event.usage)
    yield event
  }
}

/** Waits for the whole of a completion. */
export async function wholeCompletion({ model, provider, events }: Completion): Promise<WholeCompletion> {
  let output = ''
  for await (const event of events) {
    if (event.kind === 'delta') output += event.text
    else
      return {
        model,
        provider,
        ...event.answeredBy,
        output,
        finishReason: event.finishReason,
        usage: event.usage,
      }
  }
  throw new Problem('upstream_failed', `${model} broke off its reply.`)
}
