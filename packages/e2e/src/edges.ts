import type { ServiceName } from '@waybill/contracts'

export type Edge = readonly [caller: ServiceName, callee: ServiceName]

/** Who calls whom to do a user's work: the whole platform in eight lines. Each must be seen in a trace, and no other. */
export const WORK_EDGES: readonly Edge[] = [
  ['gateway', 'auth-service'],
  ['gateway', 'llm-proxy'],
  ['gateway', 'docling'],
  ['gateway', 'data_store'],
  ['gateway', 'work-platform'],
  ['docling', 'llm-proxy'],
  ['llm-proxy', 'data_store'],
  ['work-platform', 'substrate-api'],
]

/** Who calls auth-service for keys or for the tokens of its next calls, in the middle of somebody's request. */
export const TOKEN_EDGES: readonly Edge[] = [
  ['gateway', 'auth-service'],
  ['docling', 'auth-service'],
  ['llm-proxy', 'auth-service'],
  ['data_store', 'auth-service'],
  ['work-platform', 'auth-service'],
  ['substrate-api', 'auth-service'],
]
