import { createHash } from 'node:crypto'
import type { Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import * as store from './store/idempotency-keys.ts'
import type { Tables } from './tables.ts'

/** What was asked, as a digest: to tell a repetition from another request under the same key. */
export function fingerprintOf(request: Record<string, unknown>): string {
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(request).sort()))
    .digest('base64url')
}

/**
 * Takes the key for the request that is about to make `projectId`, as draft-ietf-httpapi-idempotency-key-header has
 * it. Gives back undefined, or what was answered when the same was asked before.
 * @throws Problem `conflict` while the first request is at work, `unprocessable` when the key was for another request
 */
export async function claimKey(
  tx: Transaction<Tables>,
  principal: UserPrincipal,
  claim: { key: string; fingerprint: string; projectId: string },
): Promise<object | undefined> {
  const { key, fingerprint, projectId } = claim
  if (await store.takeKey(tx, { key, fingerprint, project_id: projectId })) return undefined
  const taken = await store.findKey(tx, principal.userId, key)
  if (taken && taken.fingerprint !== fingerprint) {
    throw new Problem('unprocessable', 'This Idempotency-Key was sent with another request before.')
  }
  // Also when the first request failed between our two queries and released the key: asking again is right then too.
  if (typeof taken?.answer !== 'object' || taken.answer === null) {
    throw new Problem('conflict', 'A request with this Idempotency-Key is being worked on.', {
      headers: { 'Retry-After': '1' },
    })
  }
  return taken.answer
}
