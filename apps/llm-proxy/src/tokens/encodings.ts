import type { EncodingName } from './tokenizer.ts'

/** The encoding of a local model, and of a request that names no model. */
export const DEFAULT_ENCODING: EncodingName = 'o200k_base'

/** By the start of the model's name, the most specific first. Sources: the model table of tiktoken. */
const BY_PREFIX: readonly (readonly [prefix: string, encoding: EncodingName])[] = [
  ['local/', DEFAULT_ENCODING],
  ['o200k_base', 'o200k_base'],
  ['cl100k_base', 'cl100k_base'],
  ['gpt-4o', 'o200k_base'],
  ['gpt-4.1', 'o200k_base'],
  ['gpt-4.5', 'o200k_base'],
  ['gpt-5', 'o200k_base'],
  ['chatgpt-4o', 'o200k_base'],
  ['o1', 'o200k_base'],
  ['o3', 'o200k_base'],
  ['o4', 'o200k_base'],
  ['gpt-4', 'cl100k_base'],
  ['gpt-3.5-turbo', 'cl100k_base'],
  ['gpt-35-turbo', 'cl100k_base'],
  ['text-embedding-3', 'cl100k_base'],
  ['text-embedding-ada-002', 'cl100k_base'],
]

/** Returns the encoding that `model` counts in (a leading `openai/` is allowed), or undefined when none is public. */
export function encodingOf(model: string): EncodingName | undefined {
  const name = model.replace(/^openai\//, '')
  return BY_PREFIX.find(([prefix]) => name.startsWith(prefix))?.[1]
}
