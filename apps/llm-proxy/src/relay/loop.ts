import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '@waybill/service-kit'

const PSEUDONYM = 'waybill-llm-proxy'

/** RFC 9110 section 7.6.3: the mark of this service on what it sends on. */
export const VIA = `1.1 ${PSEUDONYM}`

/** @throws Problem loop_detected (508, RFC 5842 section 7.2) for a request that this service has sent */
export function refuseLoop({ via }: IncomingHttpHeaders): void {
  const passed = via?.toLowerCase().split(',') ?? []
  if (passed.some((hop) => hop.trim().split(/\s+/)[1] === PSEUDONYM)) {
    throw new Problem('loop_detected', 'The provider’s address leads back to llm-proxy.')
  }
}
