/**
 * Every span and attribute name that Waybill adds. OpenTelemetry's semantic conventions come first; a name of our
 * own exists only where they have none, and starts with `waybill.`.
 */
export const ATTRIBUTE = {
  /** The request id of the whole journey, on every server span. */
  requestId: 'waybill.request_id',
  /** `user:<id>` or `service:<name>`: on whose authority the request runs. */
  subject: 'waybill.subject',
  /** The services that act for the subject, nearest first. */
  actors: 'waybill.actors',
  /** How the caller proved itself: `jwt`, `service-jwt`, ... */
  via: 'waybill.via',
  /** The service that is called next. */
  audience: 'waybill.audience',
  path: 'url.path',
  collection: 'db.collection.name',
  operation: 'db.operation.name',
  system: 'db.system.name',
  rpcSystem: 'rpc.system',
  /** With its package: `waybill.substrate.v1.BasketService`. */
  rpcService: 'rpc.service',
  rpcMethod: 'rpc.method',
  /** gRPC's status code, a number. */
  rpcStatus: 'rpc.grpc.status_code',
  /** How it went, on counters: `success` or `failure`. */
  outcome: 'waybill.outcome',
  /** The allowance that is used up, on the counter of refusals. */
  limit: 'waybill.limit',
  /** The class of what was thrown. */
  errorType: 'error.type',
} as const

export const SPAN = {
  exchange: 'token.exchange',
  clientCredentials: 'token.client_credentials',
  database: 'database.transaction',
  vectorStore: 'vector_store.operation',
  supabase: 'supabase.operation',
  fileMaker: 'filemaker.operation',
  convert: 'document.convert',
  passwordHash: 'password.hash',
} as const

/** What is counted, to be watched (seed 002): each a counter at `/metrics`. */
export const METRIC = {
  login: 'waybill.logins',
  refresh: 'waybill.refreshes',
  apiKey: 'waybill.api_key_uses',
  lockout: 'waybill.lockouts',
  rateLimited: 'waybill.rate_limited',
  budgetAlert: 'waybill.budget_alerts',
} as const

/**
 * Of calls to language models: OpenTelemetry's GenAI conventions, which are all still in development and therefore copied.
 * Their newest vintage counts and names some things otherwise (`cacheWriteTokens`, GEN_AI_METRIC below).
 */
export const GEN_AI = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  stream: 'gen_ai.request.stream',
  maxTokens: 'gen_ai.request.max_tokens',
  temperature: 'gen_ai.request.temperature',
  topP: 'gen_ai.request.top_p',
  topK: 'gen_ai.request.top_k',
  frequencyPenalty: 'gen_ai.request.frequency_penalty',
  presencePenalty: 'gen_ai.request.presence_penalty',
  stopSequences: 'gen_ai.request.stop_sequences',
  seed: 'gen_ai.request.seed',
  choiceCount: 'gen_ai.request.choice.count',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheCreationTokens: 'gen_ai.usage.cache_creation.input_tokens',
  /** The newest vintage's name for `cacheCreationTokens`. */
  cacheWriteTokens: 'gen_ai.usage.cache_write.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  tokenType: 'gen_ai.token.type',
  tokenModality: 'gen_ai.token.modality',
  systemInstructions: 'gen_ai.system_instructions',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  serverAddress: 'server.address',
  serverPort: 'server.port',
} as const

/** The metrics of the released vintage, then those of the newest. */
export const GEN_AI_METRIC = {
  duration: 'gen_ai.client.operation.duration',
  timeToFirstChunk: 'gen_ai.client.operation.time_to_first_chunk',
  tokenUsage: 'gen_ai.client.token.usage',
  latestDuration: 'gen_ai.client.inference.duration',
  latestTimeToFirstChunk: 'gen_ai.client.inference.time_to_first_chunk',
  latestInputTokens: 'gen_ai.client.inference.operation.input_tokens',
  latestOutputTokens: 'gen_ai.client.inference.operation.output_tokens',
  latestInputUsage: 'gen_ai.client.inference.usage.input_tokens',
  latestOutputUsage: 'gen_ai.client.inference.usage.output_tokens',
  latestCacheReadUsage: 'gen_ai.client.inference.usage.cache_read.input_tokens',
  latestCacheWriteUsage: 'gen_ai.client.inference.usage.cache_write.input_tokens',
  latestReasoningUsage: 'gen_ai.client.inference.usage.reasoning.output_tokens',
} as const

export type MetricName = (typeof METRIC)[keyof typeof METRIC]
export type SpanName = (typeof SPAN)[keyof typeof SPAN]
export type AttributeName = (typeof ATTRIBUTE)[keyof typeof ATTRIBUTE]
