import { z } from 'zod'
import { endpoint } from '../endpoint.ts'

/**
 * llm-proxy: language models behind one door. `/llm` and `/tokenize` speak Waybill's own shape, `/execute` runs a named
 * operation (and keeps what it makes in data_store, on the user's behalf), `/v1/*` speaks OpenAI's protocol.
 * Structural rules only; the limits (bytes, tokens, passages) are settings of the service.
 */

export const role = z.enum(['system', 'developer', 'user', 'assistant'])
export const message = z.strictObject({ role, content: z.string() })
export type Message = z.infer<typeof message>

/** Tokens, counted by the model's own tokenizer. */
export const usage = z.object({
  input_tokens: z.int().nonnegative(),
  output_tokens: z.int().nonnegative(),
  total_tokens: z.int().nonnegative(),
})
export type Usage = z.infer<typeof usage>

/** Why a reply ends: it is complete, it may have no more tokens, or the provider holds back the rest. */
export const finishReason = z.enum(['stop', 'length', 'content_filter'])

/**
 * `local/...` for those that are here, `<provider>/...` for a provider's (asked with the user's own key), or a route of the
 * operator's; the service's default when left out.
 */
export const modelName = z.string().min(1).max(200)

// POST /llm

export const llmRequest = z
  .strictObject({
    model: modelName.optional(),
    prompt: z.string().min(1).optional(),
    messages: z.array(message).min(1).optional(),
    max_tokens: z.int().positive().optional(),
    stream: z.boolean().optional(),
  })
  .refine((body) => (body.prompt === undefined) !== (body.messages === undefined), {
    error: 'Give either `prompt` or `messages`.',
    path: ['messages'],
  })
export type LlmRequest = z.infer<typeof llmRequest>

export const llmResponse = z.object({
  id: z.string(),
  model: z.string(),
  provider: z.string(),
  output: z.string(),
  finish_reason: finishReason,
  usage,
})
export type LlmResponse = z.infer<typeof llmResponse>

/** With `stream: true`: server-sent events `delta` ({ delta }), then `done` (the whole LlmResponse) or `error` (a problem). */
export const llmDelta = z.object({ delta: z.string() })
export type LlmDelta = z.infer<typeof llmDelta>

// POST /execute

/** A collection of data_store. */
export const collectionName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'A lower-case letter, then up to 62 of a-z, 0-9, _ and -.')

export const indexInput = z.strictObject({
  document: z.strictObject({
    name: z.string().min(1).max(500),
    text: z.string().min(1),
    /** The same document with its structure: passages are then cut at its headings. */
    markdown: z.string().min(1).optional(),
  }),
  collection: collectionName.optional(),
  /** Of the embeddings; all of a collection must come from one. */
  model: modelName.optional(),
})
export const indexOutput = z.object({
  document_id: z.string(),
  collection: z.string(),
  chunks: z.int().nonnegative(),
  tokens: z.int().nonnegative(),
})
export type IndexInput = z.infer<typeof indexInput>
export type IndexOutput = z.infer<typeof indexOutput>

export const answerInput = z.strictObject({
  question: z.string().trim().min(1).max(4000),
  collection: collectionName.optional(),
  limit: z.int().min(1).max(20).optional(),
  /** What answers. */
  model: modelName.optional(),
  /** What the collection was indexed with. */
  embedding_model: modelName.optional(),
})
export const passage = z.object({
  text: z.string(),
  /** The document's name. */
  document: z.string(),
  document_id: z.string(),
  /** Counted from 0 within the document. */
  position: z.int().nonnegative(),
  /** 0 to 1, the best first. */
  score: z.number(),
})
/** Nothing relevant found: `answer` is null and `passages` is empty. */
export const answerOutput = z.object({
  answer: z.string().nullable(),
  passages: z.array(passage),
  model: z.string(),
})
export type AnswerInput = z.infer<typeof answerInput>
export type AnswerOutput = z.infer<typeof answerOutput>

export const summarizeInput = z.strictObject({
  text: z.string().min(1),
  max_sentences: z.int().min(1).max(50).optional(),
  model: modelName.optional(),
})
export type SummarizeInput = z.infer<typeof summarizeInput>
export const summarizeOutput = z.object({
  summary: z.string(),
  sentences: z.int().nonnegative(),
  model: z.string(),
  usage,
})
export type SummarizeOutput = z.infer<typeof summarizeOutput>

export const embedInput = z.strictObject({
  texts: z.array(z.string().min(1)).min(1),
  model: modelName.optional(),
  dimensions: z.int().positive().optional(),
})
export const embedOutput = z.object({
  embeddings: z.array(z.array(z.number())),
  dimensions: z.int().positive(),
  model: z.string(),
  tokens: z.int().nonnegative(),
})

export const tokenizeRequest = z.strictObject({
  text: z.string(),
  /** A model (its encoding is looked up) or an encoding by name: `o200k_base`, `cl100k_base`. */
  model: z.string().min(1).max(200).optional(),
  include_token_ids: z.boolean().optional(),
})
export const tokenizeResponse = z.object({
  tokens: z.int().nonnegative(),
  token_ids: z.array(z.int()).optional(),
  model: z.string(),
  encoding: z.string(),
})
export type TokenizeRequest = z.infer<typeof tokenizeRequest>
export type TokenizeResponse = z.infer<typeof tokenizeResponse>

export const executeRequest = z.discriminatedUnion('operation', [
  z.strictObject({ operation: z.literal('index'), input: indexInput }),
  z.strictObject({ operation: z.literal('answer'), input: answerInput }),
  z.strictObject({ operation: z.literal('summarize'), input: summarizeInput }),
  z.strictObject({ operation: z.literal('embed'), input: embedInput }),
  z.strictObject({ operation: z.literal('tokenize'), input: tokenizeRequest }),
])
export type ExecuteRequest = z.infer<typeof executeRequest>
/** What each operation gives back. */
export const executeOutput = z.union([
  indexOutput,
  answerOutput,
  summarizeOutput,
  embedOutput,
  tokenizeResponse,
])

// OpenAI's protocol: members that are not named here are accepted and left alone.

const contentPart = z.looseObject({ type: z.string(), text: z.string().optional() })

export const chatRequest = z.looseObject({
  model: z.string().min(1).max(200),
  messages: z
    .array(
      z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(contentPart)]).nullish() }),
    )
    .min(1),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
})
export type ChatRequest = z.infer<typeof chatRequest>

export const embeddingsRequest = z.looseObject({
  model: z.string().min(1).max(200),
  input: z.union([z.string(), z.array(z.unknown())]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().positive().nullish(),
})
export type EmbeddingsRequest = z.infer<typeof embeddingsRequest>
export const embeddingsResponse = z.object({
  object: z.literal('list'),
  model: z.string(),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: z.int(),
      embedding: z.union([z.array(z.number()), z.base64()]),
    }),
  ),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
})
export const listedModel = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
})
export const modelsResponse = z.object({ object: z.literal('list'), data: z.array(listedModel) })
/** The segments of the path: an id has slashes, which come as they are or encoded. */
export const modelParams = z.object({ id: z.array(z.string()) })

// What a caller may call. `/execute` appears once per operation, so that each call has its own types.

const post = { service: 'llm-proxy', method: 'POST', permission: 'agents.query' } as const
const operation = { ...post, path: '/execute' } as const

export const llm = endpoint({
  ...post,
  path: '/llm',
  summary: 'Asks a model, in one shape whatever the provider.',
  body: llmRequest,
  output: llmResponse,
})
export const tokenize = endpoint({
  ...post,
  path: '/tokenize',
  summary: 'Counts the tokens of a text.',
  body: tokenizeRequest,
  output: tokenizeResponse,
})
export const index = endpoint({
  ...operation,
  summary: 'Splits a document into passages and keeps them in the memory of the user.',
  body: z.strictObject({ operation: z.literal('index'), input: indexInput }),
  output: indexOutput,
})
export const answer = endpoint({
  ...operation,
  summary: 'Answers a question from the memory of the user.',
  body: z.strictObject({ operation: z.literal('answer'), input: answerInput }),
  output: answerOutput,
})
export const summarize = endpoint({
  ...operation,
  summary: 'Summarizes a text.',
  body: z.strictObject({ operation: z.literal('summarize'), input: summarizeInput }),
  output: summarizeOutput,
})
export const embed = endpoint({
  ...operation,
  summary: 'Embeds texts as vectors.',
  body: z.strictObject({ operation: z.literal('embed'), input: embedInput }),
  output: embedOutput,
})
export const execute = endpoint({
  ...operation,
  summary: 'Runs one named operation: index, answer, summarize, embed or tokenize.',
  body: executeRequest,
  output: executeOutput,
})
export const chat = endpoint({
  ...post,
  path: '/v1/chat/completions',
  summary: "OpenAI's chat completions, as JSON or as a stream.",
  body: chatRequest,
})
export const embeddings = endpoint({
  ...post,
  path: '/v1/embeddings',
  summary: "OpenAI's embeddings.",
  body: embeddingsRequest,
  output: embeddingsResponse,
})
export const models = endpoint({
  service: 'llm-proxy',
  method: 'GET',
  path: '/v1/models',
  permission: 'agents.query',
  summary:
    'The models that may be asked for: those that are here, and those of the providers that the user has keys for.',
  output: modelsResponse,
})
export const model = endpoint({
  service: 'llm-proxy',
  method: 'GET',
  path: '/v1/models/*id',
  permission: 'agents.query',
  summary: 'One of the models that may be asked for.',
  params: modelParams,
  output: listedModel,
})
