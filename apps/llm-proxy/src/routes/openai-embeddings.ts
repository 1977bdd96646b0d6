import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import { embedTexts } from '../embedding-texts.ts'
import type { EmbeddingOptions } from '../embedding-texts.ts'
import type { HereInput } from './openai-chat.ts'

/** Answers `/v1/embeddings` as OpenAI's API reference describes it; texts only, since token ids mean another tokenizer. */
export async function answerEmbeddings(
  body: llmProxy.EmbeddingsRequest,
  options: EmbeddingOptions,
  input: HereInput,
): Promise<unknown> {
  const request = {
    model: body.model,
    texts: readTexts(body.input),
    dimensions: body.dimensions ?? undefined,
  }
  const call = {
    ...({ ...input, operation: 'embeddings' } as const),
    answerer: options.models.resolve(request.model, 'embedding'),
    texts: request.texts,
  }
  const { model, vectors, tokens } = await input.localCalls.metered(call, async (used) => {
    const embeddings = await embedTexts(request, options, input.signal)
    used({ input_tokens: embeddings.tokens, output_tokens: 0 })
    return embeddings
  })
  const written = body.encoding_format === 'base64' ? vectors.map(base64Of) : vectors
  return {
    object: 'list',
    model,
    data: written.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  }
}

function readTexts(input: llmProxy.EmbeddingsRequest['input']): string[] {
  const texts = typeof input === 'string' ? [input] : input
  if (texts.length === 0) throw invalid('input must not be empty.')
  return texts.map((text, index) => {
    if (typeof text !== 'string')
      throw invalid('input must be a text or a list of texts; tokens are not accepted.')
    if (text === '') throw invalid(`input[${String(index)}] must not be empty.`)
    return text
  })
}

/** 32-bit floats, little-endian, as OpenAI's clients decode them. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes.toString('base64')
}

function invalid(detail: string): Problem {
  return new Problem('bad_request', detail, { extensions: { param: 'input', reason: 'invalid_value' } })
}
