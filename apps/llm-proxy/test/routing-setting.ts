import { createCatalog } from '../src/providers/catalog.ts'
import type { Catalog, ProviderDefinition } from '../src/providers/provider-definition.ts'
import { createRouting } from '../src/routing/create-routing.ts'
import { routeDeclaration } from '../src/routing/route-declaration.ts'
import type { Attempts, RoutedRequest } from '../src/routing/routing.ts'
import type { Timing } from '../src/routing/timing.ts'

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Time that goes on when it is told to, or when somebody pauses. */
export function createTestTiming(random: () => number = () => 0.5) {
  let now = 1_000
  const pauses: number[] = []
  const timing: Timing = {
    now: () => now,
    random,
    pause(ms, signal) {
      if (signal.aborted) return Promise.reject(signal.reason as Error)
      pauses.push(ms)
      now += ms
      return Promise.resolve()
    },
  }
  return { timing, pauses, pass: (ms: number) => void (now += ms) }
}

export const catalog: Catalog = createCatalog({
  PROVIDERS_FILE: '',
  PROVIDER_URLS: [],
  PRIVATE_UPSTREAMS: [],
})
export const provider = (name: string): ProviderDefinition => catalog.find(name)!

export function routingOf(routes: unknown[], time = createTestTiming()) {
  const routing = createRouting(
    routes.map((route) => routeDeclaration.parse(route)),
    { catalog, timing: time.timing },
  )
  const attempts = (more: Partial<RoutedRequest> = {}): Attempts =>
    routing.attempts({
      ...{ provider: provider('openai'), model: 'gpt', operation: 'chat', repeatable: true },
      ...more,
    })
  return { routing, attempts, ...time }
}

const never = new AbortController().signal

/** Where the next attempt goes, as `provider`, `provider model` or `provider model#key`. */
export async function next(attempts: Attempts, signal = never): Promise<string | undefined> {
  const target = await attempts.next(signal)
  if (!target) return undefined
  const { provider: to, model, key } = target
  return [to.name, model].filter(Boolean).join(' ') + (key === undefined ? '' : `#${key}`)
}
