import { randomUUID } from 'node:crypto'
import { llmProxy } from '@waybill/contracts'
import { asProblem, Problem, problemDocument } from '@waybill/service-kit'
import type { RouteInput, UserPrincipal } from '@waybill/service-kit'
import { startCompletion, wholeCompletion } from '../completion.ts'
import type { Completion, CompletionOptions } from '../completion.ts'
import type { LocalCalls } from '../usage/local-calls.ts'
import { eventFrame, sendEvents } from './event-stream.ts'
import { readChatRequest } from './openai-request.ts'

/** Answers a chat completion as OpenAI's API reference describes it, as JSON or as a stream, with a model of our own. */
export async function answerChat(
  body: llmProxy.ChatRequest,
  options: CompletionOptions,
  input: HereInput,
): Promise<unknown> {
  const request = readChatRequest(body)
  const call = {
    ...({ ...input, operation: 'chat', stream: request.stream } as const),
    answerer: options.models.resolve(request.model, 'chat'),
    texts: request.messages.map(({ content }) => content),
  }
  return input.localCalls.metered(call, async (used) => {
    const completion = await startCompletion(request, options, input.signal, used)
    return send(completion, body, input)
  })
}

async function send(
  completion: Completion,
  body: llmProxy.ChatRequest,
  { res, log, signal }: HereInput,
): Promise<unknown> {
  const head = {
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: completion.model,
  }
  if (body.stream !== true) return wholeBody(head, completion)
  const frames = framesOf(head, completion, body.stream_options?.include_usage === true)
  const onFailure = (error: unknown) => {
    log.error({ err: error }, 'the stream broke off')
    // OpenAI's clients throw on it; without it, an early end would look like a whole reply to them.
    return eventFrame(llmProxy.openAiError(problemDocument(asProblem(error))))
  }
  await sendEvents(res, frames, onFailure, signal)
  return undefined
}

/** What is answered here has its place already. */
export interface HereInput extends Pick<
  RouteInput<unknown, unknown, unknown, UserPrincipal>,
  'res' | 'log' | 'signal' | 'principal'
> {
  localCalls: Pick<LocalCalls, 'metered'>
  hasEntered: boolean
}

interface Head {
  id: string
  /** In seconds since the epoch. */
  created: number
  model: string
}

async function wholeBody(head: Head, completion: Completion) {
  const { output, finishReason, usage } = await wholeCompletion(completion)
  const message = { role: 'assistant', content: output, refusal: null }
  return {
    ...head,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage: openAiUsage(usage),
  }
}

/** Chunks without an `event:` line, `[DONE]` at the end; with `include_usage` a chunk without choices before it. */
async function* framesOf(head: Head, { events }: Completion, includeUsage: boolean): AsyncGenerator<string> {
  const chunk = (delta: unknown, finishReason: string | null = null) =>
    eventFrame({
      ...head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    })
  yield chunk({ role: 'assistant', content: '', refusal: null })
  for await (const event of events) {
    if (event.kind === 'delta') {
      yield chunk({ content: event.text })
      continue
    }
    yield chunk({}, event.finishReason)
    const usage = openAiUsage(event.usage)
    if (includeUsage) yield eventFrame({ ...head, object: 'chat.completion.chunk', choices: [], usage })
    yield 'data: [DONE]\n\n'
    return
  }
  throw new Problem('upstream_failed', `${head.model} broke off its reply.`)
}

function openAiUsage(usage: llmProxy.Usage) {
  return {
    prompt_tokens: usage.input_tokens,
    completion_tokens: usage.output_tokens,
    total_tokens: usage.total_tokens,
  }
}
