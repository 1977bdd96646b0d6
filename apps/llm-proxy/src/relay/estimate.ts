import { countOf, listOf, objectOf } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import { judgedPath } from '../protocols/judged-path.ts'
import type { Operation } from '../protocols/protocol.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { RelayConfig } from './config.ts'
import type { Draft } from './draft.ts'
import { estimateInput } from './input-tokens.ts'

/** What the relay knows of a call's tokens before it is made. */
export interface Estimate {
  /** All that it may use, input and output: what a budget must have left. */
  estimatedTokens: number
  estimatedInputTokens: number
  /** What is taken from the tokens of the minute until it is over. */
  reservedTokens: number
}

/**
 * The most that a call is thought to use. Where nobody knows what is asked, there are no tokens to count. Some SDKs ask for
 * 64,000 tokens of output whatever they need: of a minute's tokens as much is not set aside for them.
 */
export function estimateOf(
  draft: Pick<Draft, 'body'> | undefined,
  operation: Operation,
  config: Pick<RelayConfig, 'UNSTATED_OUTPUT_TOKENS' | 'RESERVED_OUTPUT_TOKENS_MAX'>,
): Estimate {
  if (!draft || operation === 'other')
    return { estimatedTokens: 0, estimatedInputTokens: 0, reservedTokens: 0 }
  const input = estimateInput(draft.body)
  const { body } = draft
  const most = operation === 'embeddings' ? 0 : (statedOutput(body) ?? config.UNSTATED_OUTPUT_TOKENS)
  const answers = answersTo(body)
  return {
    estimatedTokens: input + most * answers,
    estimatedInputTokens: input,
    reservedTokens: input + Math.min(most, config.RESERVED_OUTPUT_TOKENS_MAX) * answers,
  }
}

/** The members that say the most tokens of an answer, and how many answers there are to be; Google's are one level down. */
const MOST_TOKENS = [
  ...['max_completion_tokens', 'max_output_tokens', 'max_tokens', 'max_tokens_to_sample'],
  'maxOutputTokens',
]
const COUNTS = ['n', 'best_of', 'candidateCount', 'candidate_count']

/** Of several the largest: which of them counts is for the provider to know. */
function statedOutput(body: JsonObject): number | undefined {
  const stated = numbersOf(body, MOST_TOKENS)
  return stated.length === 0 ? undefined : Math.max(...stated)
}

function answersTo(body: JsonObject): number {
  // Legacy completions answer each prompt of a list, where they are no tokens of one.
  const prompts = listOf(body.prompt).filter((prompt) => typeof prompt !== 'number').length
  return Math.max(1, ...numbersOf(body, COUNTS)) * Math.max(1, prompts)
}

/** Those of the members that hold a whole number above 0: nothing else is a count to a provider. */
function numbersOf(body: JsonObject, names: readonly string[]): number[] {
  const places = [body, objectOf(body.generationConfig), objectOf(body.generation_config)]
  return places
    .flatMap((place) => names.map((name) => countOf(place[name]) ?? 0))
    .filter((count) => count > 0)
}

/** Methods that ask for nothing to be made. */
const COSTS_NOTHING = new Set(['GET', 'HEAD', 'DELETE'])

/**
 * Whether a request may cost what nobody here can count, as far as its path says: a batch, an image, an upload, a chat below
 * `/async/` (Perplexity, Z.ai), which is answered later. See `isDeferred` for its body.
 */
export function isUnmetered(
  { protocol, telemetryName: vendor }: Pick<ProviderDefinition, 'protocol' | 'telemetryName'>,
  method: string,
  path: string,
): boolean {
  if (COSTS_NOTHING.has(method) || protocol.isFree(path, vendor)) return false
  return protocol.operationOf(path) === 'other' || judgedPath(path).includes('/async/')
}

/** The members by which an answer is asked for that comes later: of OpenAI's responses, and of xAI's chats. */
const DEFERRING = ['background', 'deferred']

/**
 * Whether the body asks for work that goes on when its request has been answered: what it used stands in the answer to another
 * request, which nobody reads. Whatever is no plain no is a yes: some servers take 1 or "true" for true.
 */
export function isDeferred({ body }: Pick<Draft, 'body'>): boolean {
  return DEFERRING.some((name) => (body[name] ?? false) !== false)
}
