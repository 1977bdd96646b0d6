import type { IncomingHttpHeaders } from 'node:http'
import { callingService } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'

/** What an internal hop says about the caller, beside the credential that proves it. */
export const IDENTITY_HEADERS = ['X-User-ID', 'X-Tenant-ID', 'X-Service-Name'] as const
export type IdentityHeader = (typeof IDENTITY_HEADERS)[number]

/** The value each identity header must have for this caller; empty where there is nothing to say. */
export function expectedIdentity(principal: Principal): Record<IdentityHeader, string> {
  return {
    'X-User-ID': principal.kind === 'user' ? principal.userId : '',
    'X-Tenant-ID': principal.tenantId ?? '',
    'X-Service-Name': callingService(principal) ?? '',
  }
}

/**
 * The first identity header that says something else than the credential; undefined when all agree or are absent.
 * Spellings with underscores count too, since some servers read both as one. Node joins duplicates with a comma, which
 * never equals the one true value.
 */
export function contradictingHeader(
  headers: IncomingHttpHeaders,
  principal: Principal,
): IdentityHeader | undefined {
  const expected = expectedIdentity(principal)
  return IDENTITY_HEADERS.find((name) =>
    Object.entries(headers).some(
      ([given, value]) =>
        given.replaceAll('_', '-') === name.toLowerCase() && String(value) !== expected[name],
    ),
  )
}
