import { randomUUID } from 'node:crypto'
import { SDK_SCHEMES, user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { asProblem, Problem, problemDocument, route } from '@waybill/service-kit'
import type { Route, RouteInput, UserPrincipal } from '@waybill/service-kit'
import { startCompletion, wholeCompletion } from '../completion.ts'
import type { Completion, CompletionOptions } from '../completion.ts'
import type { LocalCalls, Used } from '../usage/local-calls.ts'
import type { Vendors } from '../vendors/ask.ts'
import { KEY_HEADER } from './described.ts'
import { eventFrame, sendEvents } from './event-stream.ts'

export interface AnsweringHere {
  vendors: Pick<Vendors, 'withKeyOf'>
  localCalls: LocalCalls
  /** How long an answer may take, in milliseconds. */
  timeoutMs: number
}

export function llmRoutes(
  options: CompletionOptions,
  { vendors, localCalls, timeoutMs }: AnsweringHere,
): Route[] {
  return [
    route(llmProxy.llm, {
      auth: user('agents.query'),
      timeoutMs,
      problems: ['not_found', 'upstream_failed', 'unavailable', 'timeout', 'loop_detected'],
      describes: {
        answers: ['text/event-stream'],
        schemes: SDK_SCHEMES.headers,
        requestHeaders: KEY_HEADER,
      },
      handle: (input) => vendors.withKeyOf(input.req.headers, () => metered(input, options, localCalls)),
    }),
  ]
}

type Input = RouteInput<unknown, unknown, llmProxy.LlmRequest, UserPrincipal>

async function metered(input: Input, options: CompletionOptions, localCalls: LocalCalls) {
  const { body } = input
  const messages = body.messages ?? [{ role: 'user', content: body.prompt ?? '' }]
  const call = {
    ...({ ...input, operation: 'chat', stream: body.stream } as const),
    answerer: options.models.resolve(body.model, 'chat'),
    texts: messages.map(({ content }) => content),
  }
  return localCalls.metered(call, (used) => reply(messages, input, options, used))
}

async function reply(
  messages: readonly llmProxy.Message[],
  { body, res, log, signal }: Input,
  options: CompletionOptions,
  used: Used,
) {
  const request = { model: body.model, messages, maxTokens: body.max_tokens, stream: body.stream }
  const completion = await startCompletion(request, options, signal, used)
  const id = `llm-${randomUUID()}`
  if (body.stream !== true) {
    const { finishReason, ...whole } = await wholeCompletion(completion)
    return { id, ...whole, finish_reason: finishReason }
  }
  const onFailure = (error: unknown) => {
    log.error({ err: error }, 'the stream broke off')
    return eventFrame(problemDocument(asProblem(error)), 'error')
  }
  const frames = framesOf(id, completion)
  // What keeps a reply from beginning has a status of its own.
  const first = await frames.next()
  await sendEvents(res, following(first, frames), onFailure, signal)
  return undefined
}

async function* following(
  first: IteratorResult<string>,
  rest: AsyncGenerator<string>,
): AsyncGenerator<string> {
  if (first.done === true) return
  if (first.value !== '') yield first.value
  yield* rest
}

async function* framesOf(id: string, { model, provider, events }: Completion): AsyncGenerator<string> {
  let output = ''
  for await (const event of events) {
    if (event.kind === 'delta') {
      output += event.text
      yield event.text === '' ? '' : eventFrame({ delta: event.text } satisfies llmProxy.LlmDelta, 'delta')
      continue
    }
    const { finishReason, usage, answeredBy } = event
    const who = { model, provider, ...answeredBy }
    const done: llmProxy.LlmResponse = { id, ...who, output, finish_reason: finishReason, usage }
    yield eventFrame(done, 'done')
    return
  }
  throw new Problem('upstream_failed', `${model} broke off its reply.`)
}
