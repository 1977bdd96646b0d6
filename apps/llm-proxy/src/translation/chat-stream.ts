import { Problem } from '@waybill/service-kit'
import { anthropicProtocol } from '../protocols/anthropic.ts'
import { isObject, objectOf, parseJson } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import { chatHead, chatUsage, finishReasonOf, refusalOf, streamedError, toolCall } from './chat-answer.ts'
import type { StreamTranslation } from './translation.ts'

/** Puts the stream of one of Anthropic's messages as chat completion chunks. */
export function createChatStream({ includeUsage }: { includeUsage: boolean }): StreamTranslation {
  const observer = anthropicProtocol.observeStream('/v1/messages')
  let head: JsonObject = chatHead(undefined, undefined)
  let hasEnded = false
  /** By the index of their block: where each call stands among the calls, and whether it has arguments yet. */
  const calls = new Map<unknown, { index: number; hasArguments: boolean }>()

  const write = (members: JsonObject) =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...members })}\n\n`
  const chunk = (delta: JsonObject, finishReason: string | null = null) =>
    write({
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    })
  const argumentsChunk = (index: number, piece: string) =>
    chunk({ tool_calls: [{ index, function: { arguments: piece } }] })

  const started = (at: unknown, block: JsonObject): string => {
    if (block.type === 'text')
      return typeof block.text === 'string' && block.text !== '' ? chunk({ content: block.text }) : ''
    if (block.type !== 'tool_use') return ''
    const index = calls.size
    // Usually it is empty here, and comes in pieces.
    const given =
      isObject(block.input) && Object.keys(block.input).length > 0 ? JSON.stringify(block.input) : ''
    calls.set(at, { index, hasArguments: given !== '' })
    return chunk({ tool_calls: [{ index, ...toolCall(block, given) }] })
  }
  const continued = (at: unknown, delta: JsonObject): string => {
    if (delta.type === 'text_delta') return chunk({ content: delta.text })
    const call = calls.get(at)
    // What the model thinks, signs or cites has no place in a chat completion.
    if (delta.type !== 'input_json_delta' || !call) return ''
    if (typeof delta.partial_json !== 'string' || delta.partial_json === '') return ''
    call.hasArguments = true
    return argumentsChunk(call.index, delta.partial_json)
  }
  const stopped = (at: unknown): string => {
    const call = calls.get(at)
    return call && !call.hasArguments ? argumentsChunk(call.index, '{}') : ''
  }
  const ended = (): string => {
    hasEnded = true
    const usage = includeUsage ? write({ choices: [], usage: chatUsage(observer.observed().usage) }) : ''
    return `${usage}data: [DONE]\n\n`
  }

  return {
    frame(event, data) {
      if (hasEnded || event === 'ping') return ''
      const read = parseJson(data)
      if (!isObject(read))
        throw new Problem('upstream_failed', 'The provider sent an event that cannot be read.')
      observer.frame(event, data)
      switch (read.type) {
        case 'message_start': {
          const { id, model } = observer.observed()
          head = chatHead(id, model)
          return chunk({ role: 'assistant', content: '', refusal: null })
        }
        case 'content_block_start':
          return started(read.index, objectOf(read.content_block))
        case 'content_block_delta':
          return continued(read.index, objectOf(read.delta))
        case 'content_block_stop':
          return stopped(read.index)
        case 'message_delta': {
          const { stop_reason: reason, stop_details: details } = objectOf(read.delta)
          if (typeof reason !== 'string') return ''
          const refusal = reason === 'refusal' ? { refusal: refusalOf(details) } : {}
          return chunk(refusal, finishReasonOf(reason))
        }
        case 'message_stop':
          return ended()
        case 'error':
          hasEnded = true
          return `data: ${JSON.stringify(streamedError(read))}\n\n`
        default:
          return ''
      }
    },
  }
}
