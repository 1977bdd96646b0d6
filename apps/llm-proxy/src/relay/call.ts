import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { Logger, UserPrincipal } from '@waybill/service-kit'
import type { Operation, Protocol } from '../protocols/protocol.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { Target } from '../routing/routing.ts'
import type { Translation } from '../translation/translation.ts'
import type { Draft } from './draft.ts'

/** A request that is to go to a provider. */
export interface RelayCall {
  method: string
  headers: IncomingHttpHeaders
  principal: UserPrincipal
  log: Logger
  /** Aborted when the client goes away. */
  signal: AbortSignal
  /** Where it goes unless Routing knows better. */
  provider: ProviderDefinition
  /** As that provider calls it; undefined when the request says none. */
  model: string | undefined
  /** The route that was named in place of a model. */
  alias?: string | undefined
  /** The protocol that the client speaks, in which it is told of errors. */
  protocol: Protocol
  operation: Operation
  /** It may cost what nobody here can count. */
  unmetered?: boolean | undefined
  stream: boolean
  /** A JSON body, and what it asks for. */
  draft: Draft | undefined
  /** Any other body, as it comes. */
  body: Readable | undefined
  /** Without its `?`. */
  query: string
  /** Its request and its place are taken (`Relay.admitted`). */
  hasEntered?: boolean | undefined
  /** Hears who answers, after fallbacks, before anything of the answer goes out. */
  answeredBy?: ((who: Pick<Target, 'provider' | 'model'>) => void) | undefined
  /** How the request is put to `provider`; undefined when it cannot be. */
  destination(provider: ProviderDefinition, model: string | undefined): Destination | undefined
}

export interface Destination {
  /** Below the provider's base URL. */
  path: string
  /** Headers that the client did not send and the provider needs. */
  headers?: Readonly<Record<string, string>>
  /** Where the provider does not speak the client's protocol. */
  translation?: Translation | undefined
}
