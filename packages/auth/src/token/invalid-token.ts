import { Problem } from '@waybill/service-kit'

/** What a bad credential is answered with. The reason is safe to show: it never quotes the credential. */
export function invalidToken(reason: string): Problem {
  return new Problem('invalid_token', reason)
}
