import type { Asked } from '../asked.ts'
import { argumentPieces, wholeText } from '../generate.ts'
import type { Generated } from '../generate.ts'
import { json, namedFrame, stream } from '../reply.ts'
import type { Reply } from '../reply.ts'

/** POST /v1/messages */
export function message(asked: Asked, made: Generated): Reply {
  if (asked.isStream) return stream(events(asked, made))
  const content = made.tool
    ? { type: 'tool_use', id: `toolu_${made.id}`, name: made.tool.name, input: made.tool.arguments }
    : { type: 'text', text: wholeText(made) }
  return json({
    ...envelope(asked, made),
    ...{ content: [content], stop_reason: stopReason(made), stop_sequence: null },
    usage: usage(made, made.outputTokens),
  })
}

/** POST /v1/messages/count_tokens */
export function countTokens(made: Generated): Reply {
  return json({ input_tokens: made.inputTokens })
}

/** GET /v1/models */
export function models(): Reply {
  const id = 'mock-model'
  const data = [{ type: 'model', id, display_name: 'Mock model', created_at: '2026-01-01T00:00:00Z' }]
  return json({ data, has_more: false, first_id: id, last_id: id })
}

function* events(asked: Asked, made: Generated): Iterable<string> {
  const event = (type: string, data: object = {}) => namedFrame(type, { type, ...data })
  yield event('message_start', {
    message: {
      ...envelope(asked, made),
      ...{ content: [], stop_reason: null, stop_sequence: null, usage: usage(made, 1) },
    },
  })
  const block = made.tool
    ? { type: 'tool_use', id: `toolu_${made.id}`, name: made.tool.name, input: {} }
    : { type: 'text', text: '' }
  yield event('content_block_start', { index: 0, content_block: block })
  yield event('ping')
  if (made.tool) {
    for (const partial_json of argumentPieces(made.tool)) {
      yield event('content_block_delta', { index: 0, delta: { type: 'input_json_delta', partial_json } })
    }
  } else {
    for (const text of made.pieces()) {
      yield event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
    }
  }
  yield event('content_block_stop', { index: 0 })
  yield event('message_delta', {
    delta: { stop_reason: stopReason(made), stop_sequence: null },
    ...(made.saysUsage && { usage: { output_tokens: made.outputTokens } }),
  })
  yield event('message_stop')
}

function envelope({ model }: Asked, { id }: Generated): object {
  return { id: `msg_${id}`, type: 'message', role: 'assistant', model }
}

function stopReason({ tool, isCut }: Generated): string {
  if (tool) return 'tool_use'
  return isCut ? 'max_tokens' : 'end_turn'
}

function usage({ inputTokens }: Generated, outputTokens: number): object {
  return {
    input_tokens: inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: outputTokens,
    service_tier: 'standard',
  }
}
