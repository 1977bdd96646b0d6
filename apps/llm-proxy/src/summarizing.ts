import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Models } from './models.ts'
import { DEFAULT_ENCODING, encodingOf } from './tokens/encodings.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'

export interface SummarizingOptions {
  models: Models
  tokenizer: Tokenizer
  maxInputTokens: number
}

const DEFAULT_SENTENCES = 3

/**
 * Returns a summary of a text.
 * @throws Problem payload_too_large for too many tokens
 */
export async function summarizeText(
  { text, model: asked, max_sentences: maxSentences = DEFAULT_SENTENCES }: llmProxy.SummarizeInput,
  { models, tokenizer, maxInputTokens }: SummarizingOptions,
  signal: AbortSignal,
): Promise<llmProxy.SummarizeOutput> {
  const { provider, model } = models.resolve(asked, 'chat')
  const encoding = encodingOf(model) ?? DEFAULT_ENCODING
  const input = await tokenizer.count(text, encoding, signal)
  if (input > maxInputTokens) {
    const limit = `${String(maxInputTokens)}, the most that are taken (MAX_INPUT_TOKENS)`
    throw new Problem('payload_too_large', `The text has ${String(input)} tokens; ${limit}.`)
  }
  const sentences = await provider.summarize({ model, text, maxSentences }, signal)
  const summary = sentences.join(' ')
  const output = await tokenizer.count(summary, encoding, signal)
  const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output }
  return { summary, sentences: sentences.length, model, usage }
}
