import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { Operation } from '../protocols/protocol.ts'

/** Where one attempt goes. */
export interface Target {
  provider: ProviderDefinition
  /** In place of the model that was asked for. */
  model?: string | undefined
  /** The name of the user's key, in place of the default or of the one that was asked for. */
  key?: string | undefined
}

interface Sent {
  /** It went to the endpoint of the user's own key, which says nothing of the provider to anybody else. */
  ownEndpoint?: boolean | undefined
}

/** How an attempt went, before any byte of it has gone to the client. */
export type AttemptOutcome =
  | (Sent & {
      kind: 'answered'
      status: number
      retryAfterMs?: number | undefined
      /** The same again would not help: `x-should-retry: false`, or a quota that is used up (`quotaIsUsedUp`). */
      final?: boolean | undefined
    })
  /** `refused`: no connection; `broken`: it broke before the head of the answer; `timeout`: no head in time. */
  | (Sent & { kind: 'refused' | 'broken' | 'timeout' })
  /** No head before the request as a whole had to be over, which is earlier than a provider has to answer: its caller is impatient. */
  | (Sent & { kind: 'late' })
  /** The user has no key for it, or the client went away: says nothing of the provider. */
  | { kind: 'skipped' }

/** The attempts of one request, in their order. */
export interface Attempts {
  /**
   * The next place to try, after the pause that it needs. Never undefined at first, nor after `failed` said true.
   * @throws Problem unavailable (503, Retry-After) when every place has failed so often that its circuit is open; the
   * signal's reason when it aborts
   */
  next(signal: AbortSignal): Promise<Target | undefined>
  /** What became of the last one, to be said of each, one that went well too. True: another attempt shall be made. */
  failed(outcome: AttemptOutcome): boolean
  /** Whether the same place may be asked again for a 429. */
  readonly mayRepeat: boolean
  /** Whether the client's SDK shall not repeat what was repeated here already (`x-should-retry: false`). */
  readonly repeated: boolean
}

export interface RoutedRequest {
  provider: ProviderDefinition
  model: string | undefined
  operation: Operation
  /** False when the body streams in and cannot be sent again. */
  repeatable: boolean
  /** The route's name, where the request said that in place of a model. */
  alias?: string | undefined
}

/** What stands behind the name of a route. */
export interface Alias {
  alias: string
  /** Its first target: where the request is counted until it is known who answered. */
  provider: ProviderDefinition
  model: string
}

/** Where requests go: retries, fallbacks, weights and circuit breakers, by what PROVIDERS_FILE says of their route. */
export interface Routing {
  /** The route of that name, for requests on /v1 and /llm; its members belong into RoutedRequest. */
  alias(name: string): Alias | undefined
  /** Every name of a route. */
  aliases(): readonly string[]
  attempts(request: RoutedRequest): Attempts
}
