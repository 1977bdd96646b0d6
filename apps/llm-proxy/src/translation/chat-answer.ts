import { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import { anthropicProtocol } from '../protocols/anthropic.ts'
import { isObject, listOf, objectOf, parseJson, textOf } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import type { TokenUsage } from '../protocols/protocol.ts'
import { parseExactly } from './exact-json.ts'

/**
 * Puts one of Anthropic's messages as a chat completion. What the model thinks is no part of it.
 * @throws Problem upstream_failed when `body` is no message
 */
export function chatCompletion(body: Buffer): JsonObject {
  const message = parseMessage(body)
  let content = ''
  const calls: JsonObject[] = []
  for (const block of listOf(message.content).map(objectOf)) {
    if (block.type === 'text' && typeof block.text === 'string') content += block.text
    if (block.type === 'tool_use') calls.push(toolCall(block, JSON.stringify(block.input ?? {})))
  }
  const { id, model, finishReasons, usage } = anthropicProtocol.readAnswer(message)
  return {
    ...chatHead(id, model),
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: content === '' && calls.length > 0 ? null : content,
          refusal: finishReasons.includes('refusal') ? refusalOf(message.stop_details) : null,
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        logprobs: null,
        finish_reason: finishReasonOf(finishReasons[0]),
      },
    ],
    usage: chatUsage(usage),
  }
}

function parseMessage(body: Buffer): JsonObject {
  let message: unknown
  try {
    message = parseExactly(body.toString('utf8'))
  } catch {
    message = undefined
  }
  if (isObject(message) && message.type === 'message') return message
  throw new Problem('upstream_failed', 'The provider answered with something that is no message.')
}

export function chatHead(id: string | undefined, model: string | undefined): JsonObject {
  return { id: id ?? '', created: Math.floor(Date.now() / 1000), model: model ?? '' }
}

export function toolCall({ id, name }: JsonObject, given: string): JsonObject {
  return { id, type: 'function', function: { name, arguments: given } }
}

export function refusalOf(details: unknown): string {
  return textOf(objectOf(details).explanation) ?? 'The model declined to reply.'
}

const FINISH_REASONS = new Map<string | undefined, string>([
  ['tool_use', 'tool_calls'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'content_filter'],
])

export function finishReasonOf(stopReason: string | undefined): string {
  return FINISH_REASONS.get(stopReason) ?? 'stop'
}

export function chatUsage(usage: TokenUsage | undefined): JsonObject {
  const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0 } = usage ?? {}
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedInputTokens },
  }
}

/** Puts an error of Anthropic's in OpenAI's shape: its type and its message stay. */
export function chatError(status: number, body: Buffer): llmProxy.OpenAiError {
  return streamedError(parseJson(body.toString('utf8')), status)
}

/** The same for an error frame, whose status nobody says. */
export function streamedError(body: unknown, status = 500): llmProxy.OpenAiError {
  const { type, message } = objectOf(objectOf(body).error)
  // A page of a proxy in between is none of the client's.
  const { error } = llmProxy.openAiError({
    status,
    code: 'upstream_failed',
    detail: `The provider answered with status ${String(status)}.`,
  })
  if (typeof message !== 'string') return { error }
  return { error: { ...error, type: textOf(type) ?? error.type, message, code: null } }
}
