import { Problem, reply } from '@waybill/service-kit'
import type { Request } from 'express'
import type { StoredRecord } from '../backend.ts'
import type { Repeatable, Written } from '../records/idempotency.ts'
import { etagOf } from '../records/if-match.ts'

/** The header of a write that may be sent again, for the documentation. */
export const IDEMPOTENCY_KEY = {
  'Idempotency-Key':
    'Any text of up to 255 visible characters, another for each write: sent again with the same request, it is not done again',
}
export const REPLAYED = {
  'Idempotency-Replayed': '`true` when this was answered before and nothing was done now',
}

/**
 * What the Idempotency-Key of a request is for; undefined without one.
 * @throws Problem `bad_request` for a key that is none
 */
export function repeatableOf(req: Request, body: unknown = null): Repeatable | undefined {
  const key = req.get('Idempotency-Key')
  if (key === undefined) return undefined
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem('bad_request', 'Idempotency-Key: must be 1 to 255 visible ASCII characters.')
  }
  const conditions = ['If-Match', 'If-None-Match'].map((name) => req.get(name) ?? null)
  return { key, asked: [req.method, req.originalUrl, ...conditions, body] }
}

/** The answer with one record. */
export function answerRecord(
  status: number,
  { result, isReplayed }: Written<StoredRecord>,
  headers: Record<string, string> = {},
): ReturnType<typeof reply> {
  return reply(status, result, { ...headers, ETag: etagOf(result.version), ...replayed(isReplayed) })
}

/** Any other answer to a write. */
export function answer(
  status: number,
  { isReplayed }: Written<unknown>,
  body?: unknown,
): ReturnType<typeof reply> {
  return reply(status, body, replayed(isReplayed))
}

function replayed(isReplayed: boolean): Record<string, string> {
  return isReplayed ? { 'Idempotency-Replayed': 'true' } : {}
}
