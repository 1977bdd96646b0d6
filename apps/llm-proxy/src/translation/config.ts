import { env } from '@waybill/service-kit'

export const translationEnv = {
  TRANSLATED_MAX_TOKENS: env
    .int({ min: 1, max: 1_000_000, default: 4_096 })
    .describe(
      'The max_tokens of a chat completion that is put to Anthropic, which needs one, when the request says none',
    ),
}
