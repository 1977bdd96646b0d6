import type { Authenticated, Credential, Principal } from '@waybill/service-kit'
import { expectedIdentity } from './principal/identity-headers.ts'

/** A caller with what its identity headers must say. */
export interface Caller extends Authenticated {
  expected: ReturnType<typeof expectedIdentity>
}

/** Frozen, because one caller serves every request with the same credential. */
export function asCaller(principal: Principal, credential?: Credential): Caller {
  Object.freeze(principal.permissions)
  Object.freeze(principal.actors)
  Object.freeze(principal)
  return Object.freeze({
    principal,
    expected: expectedIdentity(principal),
    ...(credential && { credential }),
  })
}
