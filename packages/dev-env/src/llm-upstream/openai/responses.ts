import type { Asked } from '../asked.ts'
import { argumentPieces, CREATED, wholeText } from '../generate.ts'
import type { Generated } from '../generate.ts'
import { json, namedFrame, stream } from '../reply.ts'
import type { Reply } from '../reply.ts'

/** POST /v1/responses */
export function response(asked: Asked, made: Generated): Reply {
  if (!asked.isStream) return json(responseObject(asked, made, 'completed'), { indent: 2 })
  return stream(numbered(events(asked, made)))
}

type Event = [type: string, data: object]

function* numbered(all: Iterable<Event>): Iterable<string> {
  let sequence_number = 0
  for (const [type, data] of all) {
    yield namedFrame(type, { type, sequence_number, ...data })
    sequence_number += 1
  }
}

function* events(asked: Asked, made: Generated): Iterable<Event> {
  yield ['response.created', { response: responseObject(asked, made, 'in_progress') }]
  yield ['response.in_progress', { response: responseObject(asked, made, 'in_progress') }]
  yield* made.tool ? callEvents(made) : messageEvents(made)
  yield ['response.completed', { response: responseObject(asked, made, 'completed') }]
}

function* messageEvents(made: Generated): Iterable<Event> {
  const place = { item_id: `msg_${made.id}`, output_index: 0, content_index: 0 }
  yield ['response.output_item.added', { output_index: 0, item: message(made, 'in_progress') }]
  yield ['response.content_part.added', { ...place, part: textPart('') }]
  for (const delta of made.pieces()) yield ['response.output_text.delta', { ...place, delta, logprobs: [] }]
  const text = wholeText(made)
  yield ['response.output_text.done', { ...place, text, logprobs: [] }]
  yield ['response.content_part.done', { ...place, part: textPart(text) }]
  yield ['response.output_item.done', { output_index: 0, item: message(made, 'completed', text) }]
}

function* callEvents(made: Generated): Iterable<Event> {
  const place = { item_id: `fc_${made.id}`, output_index: 0 }
  yield ['response.output_item.added', { output_index: 0, item: call(made, 'in_progress') }]
  for (const delta of made.tool ? argumentPieces(made.tool) : []) {
    yield ['response.function_call_arguments.delta', { ...place, delta }]
  }
  const text = JSON.stringify(made.tool?.arguments)
  yield ['response.function_call_arguments.done', { ...place, name: made.tool?.name, arguments: text }]
  yield ['response.output_item.done', { output_index: 0, item: call(made, 'completed', text) }]
}

function message({ id }: Generated, status: string, text?: string): object {
  const content = text === undefined ? [] : [textPart(text)]
  return { id: `msg_${id}`, type: 'message', status, content, role: 'assistant' }
}

function textPart(text: string): object {
  return { type: 'output_text', annotations: [], logprobs: [], text }
}

function call({ id, tool }: Generated, status: string, text = ''): object {
  const ids = { id: `fc_${id}`, call_id: `call_${id}` }
  return { ...ids, type: 'function_call', status, arguments: text, name: tool?.name }
}

function responseObject({ model }: Asked, made: Generated, status: 'in_progress' | 'completed'): object {
  const isDone = status === 'completed'
  const text = JSON.stringify(made.tool?.arguments)
  return {
    ...{ id: `resp_${made.id}`, object: 'response', created_at: CREATED, status, background: false },
    ...{ error: null, incomplete_details: null, instructions: null, max_output_tokens: null, model },
    output: isDone ? [made.tool ? call(made, status, text) : message(made, status, wholeText(made))] : [],
    ...{ parallel_tool_calls: true, previous_response_id: null, store: false, temperature: 1, top_p: 1 },
    ...{ text: { format: { type: 'text' } }, tool_choice: 'auto', tools: [], truncation: 'disabled' },
    usage:
      isDone && made.saysUsage
        ? {
            input_tokens: made.inputTokens,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: made.outputTokens,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: made.inputTokens + made.outputTokens,
          }
        : null,
    ...{ user: null, metadata: {} },
  }
}
