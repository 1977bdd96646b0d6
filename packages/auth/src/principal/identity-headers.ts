import { callingService } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'

/** What an internal hop says about the caller, beside the credential that proves it. */
export const IDENTITY_HEADERS = ['X-User-ID', 'X-Tenant-ID', 'X-Service-Name'] as const
export type IdentityHeader = (typeof IDENTITY_HEADERS)[number]

/** Every value that was sent, by the header's proper name; spellings with underscores count too. */
export type SentIdentity = Partial<Record<IdentityHeader, readonly string[]>>

/** The value each identity header must have for this caller; empty where there is nothing to say. */
export function expectedIdentity(principal: Principal): Record<IdentityHeader, string> {
  return {
    'X-User-ID': principal.kind === 'user' ? principal.userId : '',
    'X-Tenant-ID': principal.tenantId ?? '',
    'X-Service-Name': callingService(principal) ?? '',
  }
}

/** The first identity header that says something else than `expected`, or is there twice; undefined when all agree. */
export function contradictingHeader(
  sent: SentIdentity,
  expected: Record<IdentityHeader, string>,
): IdentityHeader | undefined {
  return IDENTITY_HEADERS.find((name) => {
    const values = sent[name]
    return values !== undefined && (values.length !== 1 || values[0] !== expected[name])
  })
}
