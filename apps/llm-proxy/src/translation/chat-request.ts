import { isObject, objectOf } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import { conversationOf } from './message-blocks.ts'
import { toolsOf } from './message-tools.ts'
import { invalid, unsayable } from './unsayable.ts'

/**
 * Puts a chat completion request as one of Anthropic's messages. What cannot be said there is refused by name; what changes
 * nothing in the reply (`prompt_cache_key`), and what OpenAI itself promises nothing for (`seed`), is left out.
 * @throws Problem bad_request naming the member
 */
export function messagesRequest(chat: JsonObject, model: string, defaultMaxTokens: number): JsonObject {
  refuseUnsayable(chat)
  const { system, messages } = conversationOf(chat.messages)
  const { temperature, top_p: topP, stream } = chat
  // OpenAI's goes up to 2.
  if (typeof temperature === 'number' && temperature > 1) {
    throw unsayable('temperature', 'temperature must be at most 1 for this provider.')
  }
  const userId = objectOf(chat.metadata).user_id ?? chat.safety_identifier ?? chat.user
  const effort = effortOf(chat.reasoning_effort)
  const format = formatOf(chat.response_format)
  return {
    model,
    max_tokens: chat.max_completion_tokens ?? chat.max_tokens ?? defaultMaxTokens,
    ...(system.length > 0 && { system }),
    messages,
    ...toolsOf(chat),
    ...(isGiven(temperature) && { temperature }),
    ...(isGiven(topP) && { top_p: topP }),
    ...(isGiven(chat.stop) && { stop_sequences: typeof chat.stop === 'string' ? [chat.stop] : chat.stop }),
    ...(isGiven(userId) && { metadata: { user_id: userId } }),
    ...((effort ?? format) && { output_config: { ...(effort && { effort }), ...(format && { format }) } }),
    ...(isGiven(chat.service_tier) && { service_tier: SERVICE_TIERS.get(chat.service_tier) }),
    ...(stream === true && { stream }),
  }
}

const isGiven = (value: unknown) => value !== undefined && value !== null

/** OpenAI's `default` is what every key has; `flex` and `priority` have other prices. */
const SERVICE_TIERS = new Map<unknown, string>([
  ['auto', 'auto'],
  ['default', 'standard_only'],
])

/** Members that are said in Anthropic's words, or that change nothing in the reply. */
const KNOWN = new Set([
  ...['model', 'messages', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'stop'],
  ...['tools', 'tool_choice', 'parallel_tool_calls', 'reasoning_effort', 'response_format'],
  ...['stream', 'stream_options', 'user', 'safety_identifier', 'metadata'],
  ...['seed', 'prediction', 'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention'],
])

/** Members that cannot be said, but for a value that asks for what happens anyhow. */
const HARMLESS: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logit_bias: (value) => isObject(value) && Object.keys(value).length === 0,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  store: (value) => value === false,
  verbosity: (value) => value === 'medium',
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  functions: (value) => Array.isArray(value) && value.length === 0,
  service_tier: (value) => SERVICE_TIERS.has(value),
}

function refuseUnsayable(chat: JsonObject): void {
  for (const [member, value] of Object.entries(chat)) {
    if (!isGiven(value) || KNOWN.has(member)) continue
    const isHarmless = Object.hasOwn(HARMLESS, member) && HARMLESS[member]?.(value)
    if (isHarmless !== true) throw unsayable(member)
  }
}

/** By the same names, but for the least. */
const EFFORTS = new Map<unknown, string>([
  ['minimal', 'low'],
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'xhigh'],
  ['max', 'max'],
])

/** `none` is what happens when nothing is asked for. */
function effortOf(asked: unknown): string | undefined {
  if (!isGiven(asked) || asked === 'none') return undefined
  const effort = EFFORTS.get(asked)
  if (effort === undefined) throw unsayable('reasoning_effort')
  return effort
}

function formatOf(asked: unknown): JsonObject | undefined {
  if (!isGiven(asked)) return undefined
  const { type, json_schema: declared } = objectOf(asked)
  if (type === 'text') return undefined
  if (type !== 'json_schema') {
    throw unsayable(
      'response_format',
      'response_format must be of type text or json_schema for this provider.',
    )
  }
  const { schema } = objectOf(declared)
  if (!isObject(schema))
    throw invalid('response_format', 'response_format.json_schema.schema must be an object.')
  return { type, schema }
}
