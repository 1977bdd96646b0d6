import type { llmProxy } from '@waybill/contracts'
import type { Route } from '@waybill/service-kit'
import { z } from 'zod'

// What the OpenAPI document says of routes on which bytes pass: how to ask, and what an answer looks like. It is shown and never
// checked, so it names what a newcomer needs, and leaves the rest to the reference of the vendor.

type Described = NonNullable<Route['describes']>

const model = z.string().describe('`<provider>/<model>`, `local/<model>`, or a route of the operator')
const stream = z.boolean().nullish().describe('Server-sent events in the place of one JSON')

export const completionsRequest = z.looseObject({
  model,
  prompt: z.union([z.string(), z.array(z.unknown())]),
  max_tokens: z.int().positive().nullish(),
  stream,
})

export const responsesRequest = z.looseObject({
  model,
  input: z.union([z.string(), z.array(z.unknown())]).optional(),
  instructions: z.string().nullish(),
  max_output_tokens: z.int().positive().nullish(),
  stream,
})

export const restRequest = z.looseObject({ model })

/** What OpenAI's reference says is always there, and our own models have. */
export const chatCompletion = z.looseObject({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: z.int().describe('In seconds since the epoch'),
  model: z.string(),
  choices: z.array(
    z.looseObject({
      index: z.int(),
      message: z.looseObject({ role: z.string(), content: z.string().nullable() }),
      finish_reason: z.string(),
    }),
  ),
  usage: z
    .looseObject({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
    .optional(),
})

/** A body that nobody here reads but for its model. */
export const nativeBody = z.unknown().describe("The provider's own, which passes byte for byte")

/** For a provider that is asked with a key of the user's. */
export const KEY_HEADER = {
  'X-Provider-Key': 'The name or the id of your key for the provider; the default one unless said',
}

/** The response cache reads it, and the provider never gets it. */
export const CACHE_HEADER = {
  'Cache-Control':
    'Of a POST, with RESPONSE_CACHE=on: `no-cache` for a new answer, `no-store` for one that is not kept either',
}

const openAiError: z.ZodType<llmProxy.OpenAiError> = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
})

const anthropicError: z.ZodType<llmProxy.AnthropicError> = z.object({
  type: z.literal('error'),
  error: z.object({ type: z.string(), message: z.string() }),
  request_id: z.string().optional(),
})

const googleError: z.ZodType<llmProxy.GoogleError> = z.object({
  error: z.object({ code: z.int(), message: z.string(), status: z.string() }),
})

/** The shapes of errors by protocol, as `ERROR_SHAPES` of the contracts makes them. */
export const ERROR_BODIES = {
  openai: { name: 'OpenAIError', schema: openAiError },
  anthropic: { name: 'AnthropicError', schema: anthropicError },
  gemini: { name: 'GoogleError', schema: googleError },
} satisfies Record<llmProxy.VendorProtocol, Described['error']>
