import { ConfigError } from '@waybill/service-kit'
import type { Guard, Route, ServicePrincipal } from '@waybill/service-kit'

const VARIABLE = 'JWT_EXEMPT_PATHS'

/**
 * The routes, those at the named paths switched to service credentials: a static secret, a certificate or a token of the
 * service itself, and never a user's. Exempt from users' tokens, not from authentication. A path is compared as a whole
 * with the path that the route declares: a prefix would open what lies beneath it, and what only begins alike.
 * @throws ConfigError for a path that no route has, that is open anyway, or that no service may use
 */
export function exemptRoutes(routes: readonly Route[], paths: readonly string[]): Route[] {
  const problems = paths.flatMap((path) =>
    problemsWith(
      path,
      routes.filter((route) => route.path === path),
    ),
  )
  if (problems.length > 0) throw new ConfigError(problems.map((message) => ({ variable: VARIABLE, message })))
  const exempt = new Set(paths)
  return routes.map((route) => (exempt.has(route.path) ? { ...route, auth: inOwnName(route.auth) } : route))
}

function problemsWith(path: string, named: readonly Route[]): string[] {
  if (named.length === 0) return [`no route has the path ${path}`]
  if (named.some(({ auth }) => auth.open)) return [`${path} is open to everybody already`]
  if (named.some(({ auth }) => auth.services.length === 0)) return [`no service may use ${path}`]
  return []
}

/** The services that the route lets in, each in its own name, by whatever credential of a service. */
function inOwnName({ services }: Guard): Guard<ServicePrincipal> {
  const who = `the service ${[...new Set(services)].join(' or ')} in its own name`
  return {
    ...{ description: who, open: false, kinds: ['service'], permissions: [], services },
    decide(principal) {
      if (!principal) return { allowed: false, reason: 'unauthenticated' }
      const isItself = principal.kind === 'service' && principal.actors.length === 0
      return isItself && services.includes(principal.service)
        ? { allowed: true }
        : { allowed: false, reason: 'forbidden', detail: `This route is for ${who}.` }
    },
  }
}
