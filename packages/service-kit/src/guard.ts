import type { Principal } from './principal.ts'
import { Problem } from './problem.ts'

/** A guard's word on a caller: none needed, or why not. */
export type Decision =
  | { allowed: true }
  | { allowed: false; reason: 'unauthenticated' }
  | { allowed: false; reason: 'forbidden'; detail: string; permission?: string }

/**
 * Who may use a route, as a value: read by the router, by the OpenAPI document, by the permission table and by the
 * generated tests. `Who` is what the handler may then rely on.
 */
export interface Guard<Who extends Principal | undefined = Principal | undefined> {
  /** For people: "a user with memory.read". */
  description: string
  /** True when the route looks at no credential at all. */
  open: boolean
  /** Which kinds of principal can pass. */
  kinds: readonly Principal['kind'][]
  /** The permissions that would let a user pass; any one of them. */
  permissions: readonly string[]
  /** The services that would pass; empty when any or none. */
  services: readonly string[]
  /** False when an API key does not do, whatever it may. */
  apiKeys?: boolean
  decide(principal: Principal | undefined): Decision
  /** Never set: carries the type of the handler's principal. */
  readonly who?: Who
}

/** Throws the Problem that a refusal stands for: 401 without a caller, 403 with one. */
export function enforce(guard: Guard, principal: Principal | undefined): void {
  const decision = guard.decide(principal)
  if (decision.allowed) return
  if (decision.reason === 'unauthenticated') {
    throw new Problem('unauthenticated', `This route is for ${guard.description}.`)
  }
  if (decision.permission === undefined) throw new Problem('forbidden', decision.detail)
  throw new Problem('insufficient_permission', decision.detail, {
    extensions: { permission: decision.permission },
  })
}
