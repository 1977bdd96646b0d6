import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import { DEFAULT_ENCODING, encodingOf } from './tokens/encodings.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'

/**
 * Returns how many tokens a text has for a model, and their ids on request.
 * @throws Problem bad_request when no tokenizer of that model is public
 */
export async function countTokens(
  { text, model = DEFAULT_ENCODING, include_token_ids: wantsIds = false }: llmProxy.TokenizeRequest,
  tokenizer: Tokenizer,
  signal: AbortSignal,
): Promise<llmProxy.TokenizeResponse> {
  const encoding = encodingOf(model)
  if (!encoding) {
    throw new Problem(
      'bad_request',
      `No tokenizer of ${model} is known. Known are o200k_base and cl100k_base.`,
      {
        extensions: { param: 'model' },
      },
    )
  }
  if (!wantsIds) return { tokens: await tokenizer.count(text, encoding, signal), model, encoding }
  const ids = await tokenizer.encode(text, encoding, signal)
  return { tokens: ids.length, token_ids: ids, model, encoding }
}
