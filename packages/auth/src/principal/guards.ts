import { callingService } from '@waybill/service-kit'
import type { Decision, Guard, Principal, ServicePrincipal, UserPrincipal } from '@waybill/service-kit'
import { hasPermission } from './permissions.ts'
import type { Permission } from './permissions.ts'

const ALLOWED: Decision = { allowed: true }

/** A person, calling directly or through services, who holds `permission` (any person when none is named). */
export function user(permission?: Permission): Guard<UserPrincipal> {
  return {
    description: permission === undefined ? 'a user' : `a user with ${permission}`,
    open: false,
    kinds: ['user'],
    permissions: permission === undefined ? [] : [permission],
    services: [],
    decide(principal) {
      if (!principal) return { allowed: false, reason: 'unauthenticated' }
      if (principal.kind !== 'user') return forbidden('This route is for users, not for services.')
      if (permission === undefined || hasPermission(principal.permissions, permission)) return ALLOWED
      return { ...forbidden(`The permission ${permission} is missing.`), permission }
    },
  }
}

/**
 * One of the named services as the immediate caller: in its own name, or on behalf of a user. A user who calls with
 * nothing in between is refused.
 */
export function service(...names: [string, ...string[]]): Guard<Principal> {
  const who = `the service ${names.join(' or ')}`
  return {
    description: who,
    open: false,
    kinds: ['user', 'service'],
    permissions: [],
    services: names,
    decide(principal) {
      if (!principal) return { allowed: false, reason: 'unauthenticated' }
      if (principal.via === 'service-secret') return forbidden('This route takes no static service secret.')
      const caller = callingService(principal)
      return caller !== undefined && names.includes(caller) ? ALLOWED : forbidden(`This route is for ${who}.`)
    },
  }
}

/**
 * As `user`, and has logged in, rather than come with an API key: who may manage credentials, or other people. A key that
 * could make keys would outlive its own revocation, and so would one that could make administrators.
 */
export function signedIn(permission?: Permission): Guard<UserPrincipal> {
  const person = user(permission)
  return {
    ...person,
    description: `${person.description} who has logged in`,
    apiKeys: false,
    decide(principal) {
      const decision = person.decide(principal)
      if (!decision.allowed || principal?.kind !== 'user') return decision
      return principal.sessionId !== undefined && principal.via !== 'api-key'
        ? ALLOWED
        : forbidden('This route is for users who have logged in; an API key does not do.')
    },
  }
}

/**
 * One of the named services in its own name, by its static secret: the credential that every other guard refuses. Beside
 * another guard, as `anyOf(service('a'), serviceSecret('a'))`.
 */
export function serviceSecret(...names: [string, ...string[]]): Guard<ServicePrincipal> {
  const who = `the service ${names.join(' or ')} with its static secret`
  return {
    description: who,
    open: false,
    kinds: ['service'],
    permissions: [],
    services: names,
    decide(principal) {
      if (!principal) return { allowed: false, reason: 'unauthenticated' }
      const passes =
        principal.kind === 'service' &&
        principal.via === 'service-secret' &&
        names.includes(principal.service)
      return passes ? ALLOWED : forbidden(`This route is for ${who}.`)
    },
  }
}

/** Whoever passes one of the guards. */
export function anyOf<Who extends Principal>(...guards: [Guard<Who>, ...Guard<Who>[]]): Guard<Who> {
  return {
    description: guards.map((guard) => guard.description).join(', or '),
    open: false,
    kinds: [...new Set(guards.flatMap((guard) => guard.kinds))],
    permissions: guards.flatMap((guard) => guard.permissions),
    services: guards.flatMap((guard) => guard.services),
    apiKeys: guards.some((guard) => guard.apiKeys !== false),
    decide(principal) {
      const decisions = guards.map((guard) => guard.decide(principal))
      return (
        decisions.find((decision) => decision.allowed) ??
        decisions[0] ??
        forbidden('Nobody may use this route.')
      )
    },
  }
}

/** Everybody, without looking at any credential. `why` stands in the documentation: an open door needs a reason. */
export function open(why: string): Guard<undefined> {
  return {
    description: `anybody: ${why}`,
    open: true,
    kinds: [],
    permissions: [],
    services: [],
    decide: () => ALLOWED,
  }
}

function forbidden(detail: string): { allowed: false; reason: 'forbidden'; detail: string } {
  return { allowed: false, reason: 'forbidden', detail }
}
