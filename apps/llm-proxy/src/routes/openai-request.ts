import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { CompletionRequest } from '../completion.ts'

/**
 * Returns what a chat completion request asks for. What would change the reply and cannot be done is refused by name;
 * sampling settings (`temperature`, `seed`, ...) change nothing where the reply is certain, and are left alone.
 * @throws Problem bad_request naming the member
 */
export function readChatRequest(body: llmProxy.ChatRequest): CompletionRequest {
  for (const [member, isAsked] of Object.entries(UNSUPPORTED)) {
    if (isAsked(body[member])) throw unsupported(member, `${member} is not supported by this model.`)
  }
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? undefined
  const { model, stream } = body
  return { model, stream: stream === true, messages: body.messages.map(readMessage), maxTokens }
}

const isFilled = (value: unknown) => Array.isArray(value) && value.length > 0
const isGiven = (value: unknown) => value !== undefined && value !== null

const UNSUPPORTED: Record<string, (value: unknown) => boolean> = {
  tools: isFilled,
  functions: isFilled,
  audio: isGiven,
  stop: (value) => typeof value === 'string' || isFilled(value),
  logprobs: (value) => value === true,
  n: (value) => isGiven(value) && value !== 1,
  response_format: (value) =>
    typeof value === 'object' && value !== null && !('type' in value && value.type === 'text'),
}

const ROLES: readonly string[] = [
  'system',
  'developer',
  'user',
  'assistant',
] satisfies llmProxy.Message['role'][]

function readMessage(message: llmProxy.ChatRequest['messages'][number], index: number): llmProxy.Message {
  const { role, content } = message
  const at = `messages[${String(index)}]`
  if (!isRole(role)) throw unsupported(`${at}.role`, `${at}.role must be one of ${ROLES.join(', ')}.`)
  if (typeof content === 'string') return { role, content }
  const texts = (content ?? []).map((part) => {
    if (part.type === 'text' && part.text !== undefined) return part.text
    throw unsupported(`${at}.content`, `${at}.content may have parts of type text only.`)
  })
  return { role, content: texts.join('\n') }
}

function isRole(role: string): role is llmProxy.Message['role'] {
  return ROLES.includes(role)
}

function unsupported(param: string, detail: string): Problem {
  return new Problem('bad_request', detail, { extensions: { param, reason: 'unsupported_value' } })
}
