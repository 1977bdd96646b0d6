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
  collection: 'db.collection.name',
  operation: 'db.operation.name',
  system: 'db.system.name',
  /** The class of what was thrown. */
  errorType: 'error.type',
} as const

export const SPAN = {
  exchange: 'token.exchange',
  clientCredentials: 'token.client_credentials',
  database: 'database.transaction',
  vectorStore: 'vector_store.operation',
  convert: 'document.convert',
  passwordHash: 'password.hash',
} as const

export type SpanName = (typeof SPAN)[keyof typeof SPAN]
export type AttributeName = (typeof ATTRIBUTE)[keyof typeof ATTRIBUTE]
