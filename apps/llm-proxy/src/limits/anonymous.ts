import { addressBlock, enforceQuotas } from '@waybill/service-kit'
import type { Quotas, Throttle } from '@waybill/service-kit'

/**
 * Counts, by address, the calls that prove no identity. Users are counted by the meter, with what they ask of models; counting
 * their calls here as well would count twice.
 */
export function throttleAnonymous(quotas: Quotas, callsPerMinute: number): Throttle {
  const anonymous = quotas.counter('anonymous', callsPerMinute, 60)
  return async ({ principal, req, res }) => {
    if (!principal) enforceQuotas(res, [await anonymous(addressBlock(req.ip ?? ''))])
  }
}
