import type { Catalog } from '../providers/provider-definition.ts'
import { createAttempts } from './attempts.ts'
import { ALWAYS_CLOSED } from './breaker.ts'
import { createRetryBudget } from './retry-budget.ts'
import type { RouteDeclaration } from './route-declaration.ts'
import { compileRoutes } from './routes.ts'
import type { CircuitReport, Route } from './routes.ts'
import type { Alias, Routing } from './routing.ts'
import { realTiming } from './timing.ts'
import type { Timing } from './timing.ts'

/** One attempt, there where the request was going. */
const STRAIGHT: Route = {
  name: undefined,
  matches: () => true,
  targets: ({ provider }) => [{ provider, weight: 1, breaker: ALWAYS_CLOSED }],
  fallbacks: [],
  retries: { attempts: 0, maxPauseMs: 0, budget: createRetryBudget(0) },
  on: new Set(),
}

/**
 * Sends each request by the first route that it matches, and straight on when it matches none. `told` hears of circuits.
 * @throws ConfigError for routes that cannot be gone, naming each of their faults
 */
export function createRouting(
  declared: readonly RouteDeclaration[],
  { catalog, told, timing = realTiming }: { catalog: Catalog; told?: CircuitReport; timing?: Timing },
): Routing {
  const routes = compileRoutes(declared, catalog, told)
  const named = new Map(routes.flatMap((route) => (route.name === undefined ? [] : [[route.name, route]])))
  const aliases = new Map(
    declared.flatMap(({ name, targets: [target] }): [string, Alias][] => {
      const provider = target && catalog.find(target.provider)
      if (name === undefined || !provider || target.model === undefined) return []
      return [[name, { alias: name, provider, model: target.model }]]
    }),
  )
  return {
    alias: (name) => aliases.get(name),
    aliases: () => [...aliases.keys()],
    attempts(request) {
      const route =
        request.alias === undefined ? routes.find((one) => one.matches(request)) : named.get(request.alias)
      return createAttempts(route ?? STRAIGHT, request, timing)
    },
  }
}
