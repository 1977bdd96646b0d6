import type { Catalog, ProviderDefinition } from '../providers/provider-definition.ts'
import { wrongFile } from '../providers/wrong-file.ts'
import { ALWAYS_CLOSED, createBreaker } from './breaker.ts'
import type { Breaker } from './breaker.ts'
import { createRetryBudget } from './retry-budget.ts'
import type { RetryBudget } from './retry-budget.ts'
import { FAILURES } from './route-declaration.ts'
import type { Failure, RouteDeclaration } from './route-declaration.ts'
import type { RoutedRequest, Target } from './routing.ts'

/** A place that requests are sent to, and what is known of how it does. */
export interface Place extends Target {
  weight: number
  breaker: Breaker
}

export interface Route {
  name: string | undefined
  matches(request: RoutedRequest): boolean
  /** Never empty. */
  targets(request: RoutedRequest): readonly Place[]
  fallbacks: readonly Place[]
  retries: { attempts: number; maxPauseMs: number; budget: RetryBudget }
  on: ReadonlySet<Failure>
}

/** Is told of each circuit that opens, or is closed again. */
export type CircuitReport = (change: {
  circuit: 'open' | 'closed'
  provider: string
  /** The name of the user's key, where the route says one. */
  key: string | undefined
}) => void

/**
 * The routes of PROVIDERS_FILE, ready for requests.
 * @throws ConfigError naming every name that is there twice, provider that is not there, and fallback to a provider that
 * would not understand the same bytes
 */
export function compileRoutes(
  declared: readonly RouteDeclaration[],
  catalog: Catalog,
  told: CircuitReport = () => undefined,
): Route[] {
  const faults = declared.flatMap((route, index) =>
    [...nameFaults(route, declared.slice(0, index), catalog), ...placeFaults(route, catalog)].map((fault) => [
      'routes',
      String(index),
      ...fault,
    ]),
  )
  if (faults.length > 0) throw wrongFile(faults)
  return declared.map((route) => compile(route, catalog, told))
}

function compile(declared: RouteDeclaration, catalog: Catalog, told: CircuitReport): Route {
  const { match, name, retries } = declared
  const breakers = new Map<string, Breaker>()
  const breakerOf = (provider: string, key?: string) => {
    if (declared.breaker === undefined) return ALWAYS_CLOSED
    const place = `${provider} ${key ?? ''}`
    const breaker =
      breakers.get(place) ?? createBreaker(declared.breaker, (circuit) => told({ circuit, provider, key }))
    breakers.set(place, breaker)
    return breaker
  }
  const placesOf = (list: readonly DeclaredPlace[]) =>
    list.flatMap(({ provider: providerName, model, key, weight = 1 }): Place[] => {
      const provider = catalog.find(providerName)
      return provider ? [{ provider, model, key, weight, breaker: breakerOf(providerName, key) }] : []
    })
  const targets = placesOf(declared.targets)
  const fallbacks = placesOf(declared.fallbacks)
  const protocol = [...targets, ...fallbacks][0]?.provider.protocol
  return {
    name,
    matches: ({ provider, model, operation }) =>
      match !== undefined &&
      (match.provider ?? provider.name) === provider.name &&
      (match.operation ?? operation) === operation &&
      (match.model === undefined || fits(match.model, model)) &&
      (protocol ?? provider.protocol) === provider.protocol,
    targets: ({ provider }) =>
      targets.length > 0 ? targets : [{ provider, weight: 1, breaker: breakerOf(provider.name) }],
    fallbacks,
    retries: {
      attempts: retries?.attempts ?? 0,
      maxPauseMs: retries?.max_pause_ms ?? 0,
      budget: createRetryBudget(retries?.budget ?? 0),
    },
    on: new Set(retries?.on ?? FAILURES),
  }
}

interface DeclaredPlace {
  provider: string
  model?: string | undefined
  key?: string | undefined
  weight?: number
}

function fits(pattern: string, model = ''): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

function nameFaults({ name }: RouteDeclaration, before: readonly RouteDeclaration[], catalog: Catalog) {
  if (name === undefined) return []
  if (before.some((other) => other.name === name)) return [['name', `${name} is there twice`]]
  return catalog.find(name) ? [['name', `${name} is a provider`]] : []
}

function placeFaults(route: RouteDeclaration, catalog: Catalog): string[][] {
  const matched = route.match?.provider
  const source = matched === undefined ? undefined : catalog.find(matched)
  const unknown =
    matched !== undefined && !source ? [['match', 'provider', noProvider(matched, catalog)]] : []
  const places = (['targets', 'fallbacks'] as const).flatMap((list) =>
    route[list].map(({ provider }, index) => ({ at: [list, String(index), 'provider'], provider })),
  )
  // Without a provider to match, the route is of those requests that its first place understands.
  let native = source
  return [
    ...unknown,
    ...places.flatMap(({ at, provider: name }) => {
      const provider = catalog.find(name)
      if (!provider) return [[...at, noProvider(name, catalog)]]
      if (route.name !== undefined && !answersOpenAi(provider)) {
        return [[...at, `${name} answers neither /v1 nor /llm: it has no open_ai_path`]]
      }
      if (route.match === undefined) return []
      native ??= provider
      return provider.protocol === native.protocol ? [] : [[...at, otherBytes(provider, native)]]
    }),
  ]
}

/** Whether /v1 and /llm can be answered by it, as it is or by translation. */
function answersOpenAi({ openAiPath, protocol }: ProviderDefinition): boolean {
  return openAiPath !== undefined || protocol.name === 'anthropic'
}

function noProvider(name: string, catalog: Catalog): string {
  const names = catalog.all().map((provider) => provider.name)
  return `there is no provider ${name}; there are ${names.join(', ')}`
}

function otherBytes({ name, protocol }: ProviderDefinition, native: ProviderDefinition): string {
  return (
    `${name} speaks ${protocol.name} and would not understand what is meant for ${native.name}, which speaks ` +
    `${native.protocol.name}; a route with a name and without a match may have both, on /v1 and /llm`
  )
}
