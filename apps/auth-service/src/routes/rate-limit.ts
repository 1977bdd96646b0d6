import type { ServerResponse } from 'node:http'
import { Problem } from '@waybill/service-kit'
import type { Quota } from '../limits.ts'

/**
 * Tells the client what is left (the RateLimit header fields of the IETF's HTTP API working group).
 * @throws Problem rate_limited (429) with Retry-After when an allowance is used up
 */
export function enforceQuotas(res: ServerResponse, quotas: readonly Quota[]): void {
  res.setHeader(
    'RateLimit-Policy',
    quotas.map(({ name, limit, windowSeconds }) => `"${name}";q=${limit};w=${windowSeconds}`).join(', '),
  )
  res.setHeader(
    'RateLimit',
    quotas
      .map(({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`)
      .join(', '),
  )
  const exceeded = quotas.find((quota) => quota.exceeded)
  if (!exceeded) return
  throw new Problem('rate_limited', 'Too many attempts. Try again later.', {
    headers: { 'Retry-After': String(exceeded.resetSeconds) },
  })
}
