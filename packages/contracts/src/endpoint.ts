import type { z } from 'zod'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Schema = z.ZodType | undefined

/**
 * One endpoint of one service: what a caller must know of it. The service builds its route from it and the callers
 * their typed call, so the two cannot drift apart. `:name` in the path is a parameter; it is URL-encoded by the client.
 */
export interface Endpoint<
  Params extends Schema = Schema,
  Query extends Schema = Schema,
  Body extends Schema = Schema,
  Output extends Schema = Schema,
> {
  service: ServiceName
  method: Method
  path: string
  summary: string
  params?: Params
  query?: Query
  body?: Body
  output?: Output
  /** The status of success; 200 unless said. */
  status?: number
  /** What the user must be allowed to do; absent where only services may call. */
  permission?: string
}

export const SERVICES = [
  'gateway',
  'auth-service',
  'llm-proxy',
  'docling',
  'data_store',
  'work-platform',
  'substrate-api',
] as const
export type ServiceName = (typeof SERVICES)[number]

/** Gives back the endpoint it is given, with the types of its schemas kept. */
export function endpoint<
  Params extends Schema = undefined,
  Query extends Schema = undefined,
  Body extends Schema = undefined,
  Output extends Schema = undefined,
>(definition: Endpoint<Params, Query, Body, Output>): Endpoint<Params, Query, Body, Output> {
  return definition
}
