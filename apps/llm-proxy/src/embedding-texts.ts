import { Problem } from '@waybill/service-kit'
import type { Models } from './models.ts'
import { DEFAULT_ENCODING, encodingOf } from './tokens/encodings.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'

export interface EmbeddingOptions {
  models: Models
  tokenizer: Tokenizer
  maxTexts: number
  /** Of all vectors together. */
  maxNumbers: number
  maxTokensPerText: number
}

export interface Embeddings {
  model: string
  vectors: number[][]
  tokens: number
}

/**
 * Returns one vector per text, in order, and the tokens of all texts together.
 * @throws Problem not_found or bad_request for the model, payload_too_large for too many texts, tokens or numbers
 */
export async function embedTexts(
  request: { model?: string | undefined; texts: readonly string[]; dimensions?: number | undefined },
  { models, tokenizer, maxTexts, maxNumbers, maxTokensPerText }: EmbeddingOptions,
  signal: AbortSignal,
): Promise<Embeddings> {
  const { provider, model, dimensions: usual } = models.resolve(request.model, 'embedding')
  const tooLarge = (detail: string) =>
    new Problem('payload_too_large', detail, { extensions: { param: 'input' } })
  if (request.texts.length > maxTexts) {
    throw tooLarge(
      `There are more than ${String(maxTexts)} texts, the most of one request (MAX_EMBED_TEXTS).`,
    )
  }
  const dimensions = request.dimensions ?? usual
  if (request.texts.length * dimensions > maxNumbers) {
    const asked = `${String(request.texts.length)} texts of ${String(dimensions)} dimensions`
    const limit = `${String(maxNumbers)} numbers, the most of one request (MAX_EMBED_NUMBERS)`
    throw tooLarge(`The vectors of ${asked} have more than ${limit}.`)
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
  const { texts } = request
  const vectors = await provider.embed({ model, texts, dimensions: request.dimensions }, signal)
  return { model, vectors, tokens }
}
