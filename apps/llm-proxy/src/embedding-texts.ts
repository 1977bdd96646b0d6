import { Problem } from '@waybill/service-kit'
import type { Models } from './models.ts'
import { DEFAULT_ENCODING, encodingOf } from './tokens/encodings.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'

export interface EmbeddingOptions {
  models: Models
  tokenizer: Tokenizer
  maxTexts: number
  maxTokensPerText: number
}

export interface Embeddings {
  model: string
  vectors: number[][]
  tokens: number
}

/**
 * Returns one vector per text, in order, and the tokens of all texts together.
 * @throws Problem not_found or bad_request for the model, payload_too_large for too many texts or tokens
 */
export async function embedTexts(
  request: { model?: string | undefined; texts: readonly string[]; dimensions?: number | undefined },
  { models, tokenizer, maxTexts, maxTokensPerText }: EmbeddingOptions,
  signal: AbortSignal,
): Promise<Embeddings> {
  const { provider, model } = models.resolve(request.model, 'embedding')
  const tooLarge = (detail: string) =>
    new Problem('payload_too_large', detail, { extensions: { param: 'input' } })
  if (request.texts.length > maxTexts) {
    throw tooLarge(
      `There are more than ${String(maxTexts)} texts, the most of one request (MAX_EMBED_TEXTS).`,
    )
  }
  const encoding = encodingOf(model) ?? DEFAULT_ENCODING
  let tokens = 0
  for (const [index, text] of request.texts.entries()) {
    const count = await tokenizer.count(text, encoding, signal)
    if (count > maxTokensPerText) {
      const limit = `${String(maxTokensPerText)} tokens, the most of one text (MAX_EMBED_TOKENS)`
      throw tooLarge(`Text ${String(index)} has more than ${limit}.`)
    }
    tokens += count
  }
  const { texts, dimensions } = request
  return { model, vectors: await provider.embed({ model, texts, dimensions }, signal), tokens }
}
