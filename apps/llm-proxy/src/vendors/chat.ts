import { Problem } from '@waybill/service-kit'
import { isObject, listOf, objectOf, parseJson, textOf } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import { openAiProtocol } from '../protocols/openai.ts'
import type { Observation } from '../protocols/protocol.ts'
import { createFrameSplitter } from '../protocols/sse.ts'
import type { ChatEvent, ChatInput } from '../provider.ts'
import type { ResolvedModel } from '../relay/resolve-model.ts'
import type { Vendors } from './ask.ts'
import type { CapturedAnswer } from './captured-answer.ts'
import { readAll } from './read-all.ts'

export interface ChatOptions {
  vendors: Vendors
  /** Of an answer that does not stream, in bytes. */
  maxAnswerBytes: number
  maxFrameBytes: number
  /** How many tokens a text has, where the provider does not say. */
  countTokens(text: string, signal: AbortSignal): Promise<number>
}

/** A reply of a vendor's model in pieces as they come, then one `end`. */
export async function* chatWith(
  target: ResolvedModel,
  { messages, maxTokens, inputTokens, stream }: Omit<ChatInput, 'model'>,
  options: ChatOptions,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent> {
  const { provider } = target
  const body = {
    // The same to those who know it, and nobody else does.
    messages: messages.map(({ role, content }) => ({
      role: role === 'developer' ? 'system' : role,
      content,
    })),
    // In OpenAI's words; each provider that is asked gets it in its own.
    max_completion_tokens: maxTokens,
    ...(stream && { stream, stream_options: { include_usage: true } }),
  }
  const answer = await options.vendors.ask('/chat/completions', target, body, signal)
  const name = answer.answeredBy?.provider ?? provider.name
  let output = ''
  let observed: Observation
  const isStream = answer.getHeader('content-type')?.startsWith('text/event-stream') === true
  if (isStream) {
    // The provider has begun: so may the answer of whoever asks.
    yield { kind: 'delta', text: '' }
    const observer = openAiProtocol.observeStream('/chat/completions')
    for await (const data of eventsOf(answer, options.maxFrameBytes)) {
      observer.frame('', data)
      const text = textIn(parseJson(data), 'delta', name)
      if (text === '') continue
      output += text
      yield { kind: 'delta', text }
    }
    observed = observer.observed()
  } else {
    const whole = parseJson(await readAll(answer, options.maxAnswerBytes, name))
    observed = openAiProtocol.readAnswer(whole)
    output = textIn(whole, 'message', name)
    if (output !== '') yield { kind: 'delta', text: output }
  }
  const { usage, finishReasons } = observed
  const input = usage?.inputTokens ?? inputTokens
  const tokens = usage?.outputTokens ?? (await options.countTokens(output, signal))
  yield {
    kind: 'end',
    finishReason: finishReasonOf(finishReasons[0]),
    usage: { input_tokens: input, output_tokens: tokens, total_tokens: input + tokens },
    answeredBy: answer.answeredBy,
  }
}

/** The `data` of each event. */
async function* eventsOf(answer: CapturedAnswer, maxFrameBytes: number): AsyncGenerator<string> {
  const splitter = createFrameSplitter({ maxFrameBytes })
  for await (const piece of answer.pieces()) {
    for (const { data } of splitter.push(piece)) {
      if (data === '[DONE]') return
      if (data !== undefined) yield data
    }
  }
}

/** What a completion or a chunk of one adds to the reply; a refusal is a reply too. */
function textIn(completion: unknown, member: 'delta' | 'message', provider: string): string {
  if (!isObject(completion)) {
    throw new Problem('upstream_failed', `${provider} answered with something that is no chat completion.`)
  }
  refuseError(completion, provider)
  const { content, refusal } = objectOf(objectOf(listOf(completion.choices)[0])[member])
  return textOf(content) ?? textOf(refusal) ?? ''
}

function refuseError({ error }: JsonObject, provider: string): void {
  if (!isObject(error)) return
  const message = textOf(error.message)?.slice(0, 1_000) ?? 'it broke off its reply'
  throw new Problem('upstream_failed', `${provider}: ${message}`, { extensions: { provider } })
}

function finishReasonOf(reason: string | undefined): 'stop' | 'length' | 'content_filter' {
  return reason === 'length' || reason === 'content_filter' ? reason : 'stop'
}
