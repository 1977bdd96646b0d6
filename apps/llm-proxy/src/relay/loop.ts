import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '@waybill/service-kit'

/** What the names of all deployments begin with: their hops are told on, those of other proxies are nobody's business. */
const FAMILY = 'waybill-'

/** `Via` (RFC 9110 section 7.6.3): by it a request that comes back is known. Two deployments may stand in a row. */
export interface Loop {
  /** For what is sent to a provider: the deployments that the request has passed, this one last. */
  via(headers?: IncomingHttpHeaders): string
  /** @throws Problem loop_detected (508, RFC 5842 section 7.2) for a request that this deployment has sent */
  refuse(headers: IncomingHttpHeaders): void
}

/** `name`: of the deployment, the same in all its instances and in no other. */
export function createLoop(name: string): Loop {
  const pseudonym = FAMILY + name.toLowerCase()
  return {
    via: (headers = {}) => [...passed(headers), pseudonym].map((hop) => `1.1 ${hop}`).join(', '),
    refuse(headers) {
      if (passed(headers).includes(pseudonym)) {
        throw new Problem('loop_detected', 'The provider’s address leads back to llm-proxy.')
      }
    },
  }
}

/** VIA_NAME, or one that is made of the issuer: each platform has its own, and tells it to all its services. */
export function deploymentName({ VIA_NAME, AUTH_ISSUER }: { VIA_NAME: string; AUTH_ISSUER: string }): string {
  return VIA_NAME === '' ? createHash('sha256').update(AUTH_ISSUER).digest('hex').slice(0, 12) : VIA_NAME
}

function passed({ via = '' }: IncomingHttpHeaders): string[] {
  return via
    .toLowerCase()
    .split(',')
    .map((hop) => hop.trim().split(/\s+/)[1] ?? '')
    .filter((hop) => hop.startsWith(FAMILY))
}
