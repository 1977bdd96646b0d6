import { objectOf } from '../asked.ts'
import type { Asked } from '../asked.ts'
import { argumentPieces, CREATED, wholeText } from '../generate.ts'
import type { Generated } from '../generate.ts'
import { frame, json, stream } from '../reply.ts'
import type { Reply } from '../reply.ts'

const DONE = 'data: [DONE]\n\n'

/** POST /v1/chat/completions */
export function chatCompletion(asked: Asked, made: Generated): Reply {
  if (asked.isStream) return stream(chunks(asked, made))
  const { tool } = made
  return json(
    {
      ...{ id: `chatcmpl-${made.id}`, object: 'chat.completion', created: CREATED, model: asked.model },
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: tool ? null : wholeText(made),
            ...(tool && { tool_calls: [toolCall(made, JSON.stringify(tool.arguments))] }),
            ...{ refusal: null, annotations: [] },
          },
          logprobs: null,
          finish_reason: finishReason(made),
        },
      ],
      ...(made.saysUsage && { usage: usage(made) }),
      ...{ service_tier: 'default', system_fingerprint: 'fp_mock' },
    },
    { indent: 2 },
  )
}

function* chunks({ model, body }: Asked, made: Generated): Iterable<string> {
  const asksUsage = objectOf(body.stream_options).include_usage === true && made.saysUsage
  const head = {
    ...{ id: `chatcmpl-${made.id}`, object: 'chat.completion.chunk', created: CREATED, model },
    ...{ service_tier: 'default', system_fingerprint: 'fp_mock' },
  }
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    frame({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(asksUsage && { usage: null }),
    })
  yield chunk({ role: 'assistant', content: made.tool ? null : '', refusal: null })
  if (made.tool) {
    yield chunk({ tool_calls: [{ index: 0, ...toolCall(made, '') }] })
    for (const text of argumentPieces(made.tool)) {
      yield chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] })
    }
  } else {
    for (const content of made.pieces()) yield chunk({ content })
  }
  yield chunk({}, finishReason(made))
  if (asksUsage) yield frame({ ...head, choices: [], usage: usage(made) })
  yield DONE
}

/** POST /v1/completions */
export function textCompletion({ model, isStream, body }: Asked, made: Generated): Reply {
  const head = { id: `cmpl-${made.id}`, object: 'text_completion', created: CREATED, model }
  const choice = (text: string, finish_reason: string | null) => ({
    choices: [{ text, index: 0, logprobs: null, finish_reason }],
  })
  if (!isStream) {
    return json(
      { ...head, ...choice(wholeText(made), finishReason(made)), usage: usage(made) },
      { indent: 2 },
    )
  }
  const asksUsage = objectOf(body.stream_options).include_usage === true
  const frames = function* (): Iterable<string> {
    for (const text of made.pieces()) yield frame({ ...head, ...choice(text, null) })
    yield frame({ ...head, ...choice('', finishReason(made)) })
    if (asksUsage) yield frame({ ...head, choices: [], usage: usage(made) })
    yield DONE
  }
  return stream(frames())
}

function toolCall({ id, tool }: Generated, text: string): object {
  return { id: `call_${id}`, type: 'function', function: { name: tool?.name, arguments: text } }
}

function finishReason({ tool, isCut }: Generated): string {
  if (tool) return 'tool_calls'
  return isCut ? 'length' : 'stop'
}

function usage({ inputTokens, outputTokens }: Generated): object {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      ...{ reasoning_tokens: 0, audio_tokens: 0 },
      ...{ accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
  }
}
