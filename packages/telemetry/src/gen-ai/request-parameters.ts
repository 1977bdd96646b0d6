import type { Attributes } from '@opentelemetry/api'
import { GEN_AI } from '../names.ts'

/** The attribute of each parameter, its kind, and what OpenAI, Anthropic and Google call it. */
const PARAMETERS: [attribute: string, kind: 'integer' | 'number' | 'texts', ...members: string[]][] = [
  [
    ...([GEN_AI.maxTokens, 'integer', 'max_completion_tokens', 'max_output_tokens', 'max_tokens'] as const),
    'maxOutputTokens',
  ],
  [GEN_AI.temperature, 'number', 'temperature'],
  [GEN_AI.topP, 'number', 'top_p', 'topP'],
  [GEN_AI.topK, 'number', 'top_k', 'topK'],
  [GEN_AI.frequencyPenalty, 'number', 'frequency_penalty', 'frequencyPenalty'],
  [GEN_AI.presencePenalty, 'number', 'presence_penalty', 'presencePenalty'],
  [GEN_AI.seed, 'integer', 'seed'],
  [GEN_AI.stopSequences, 'texts', 'stop', 'stop_sequences', 'stopSequences'],
]
const COUNTS = ['n', 'candidateCount']
const MAX_TEXTS = 16
const MAX_TEXT_CHARS = 64

/** What a request asks of the model beside its content, as attributes of its span. Members of the wrong kind are passed over. */
export function requestParameters(body: unknown): Attributes {
  if (!isObject(body)) return {}
  // Google keeps them one level down.
  const parameters = isObject(body.generationConfig) ? body.generationConfig : body
  const attributes: Attributes = {}
  for (const [attribute, kind, ...members] of PARAMETERS) {
    for (const member of members) {
      const value = valueOf(parameters[member], kind)
      if (value === undefined) continue
      attributes[attribute] = value
      break
    }
  }
  for (const member of COUNTS) {
    const count = valueOf(parameters[member], 'integer')
    if (count !== undefined && count !== 1) attributes[GEN_AI.choiceCount] = count
  }
  return attributes
}

function valueOf(value: unknown, kind: 'integer' | 'number' | 'texts'): number | string[] | undefined {
  if (kind === 'texts') {
    const texts = typeof value === 'string' ? [value] : Array.isArray(value) ? value : []
    const cut = texts
      .filter((text) => typeof text === 'string')
      .slice(0, MAX_TEXTS)
      .map((text) => text.slice(0, MAX_TEXT_CHARS))
    return cut.length > 0 ? cut : undefined
  }
  if (typeof value !== 'number') return undefined
  return kind === 'number' || Number.isInteger(value) ? value : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
