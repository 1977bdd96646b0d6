import { Problem } from '@waybill/service-kit'

/** What the other protocol has no words for; `param` names the member. */
export function unsayable(param: string, detail = `${param} cannot be asked of this provider.`): Problem {
  return new Problem('bad_request', detail, { extensions: { param, reason: 'unsupported_value' } })
}

/** A member that is not what its own protocol wants. */
export function invalid(param: string, detail: string): Problem {
  return new Problem('bad_request', detail, { extensions: { param, reason: 'invalid_value' } })
}
