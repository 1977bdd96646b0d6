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
} as const

export type MetricName = (typeof METRIC)[keyof typeof METRIC]
export type SpanName = (typeof SPAN)[keyof typeof SPAN]
export type AttributeName = (typeof ATTRIBUTE)[keyof typeof ATTRIBUTE]
