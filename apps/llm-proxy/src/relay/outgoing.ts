import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import type { Target } from '../routing/routing.ts'
import type { Destination, RelayCall } from './call.ts'

/** What one attempt sends. */
export interface Outgoing {
  destination: Destination
  body: Buffer | Readable | undefined
  /** Beside those of the client that may go along. */
  headers: Readonly<Record<string, string>>
  /** Whether usage was asked for by us, so that the client must not see it. */
  hidesUsage: boolean
}

/** Two operations of OpenAI's know `stream_options.include_usage`. */
const isCounted = (path: string) => path.endsWith('/completions')

/**
 * How the request is put to `target`: the client's bytes, but for another model and for the usage that is asked for.
 * @throws Problem bad_request when it cannot be put to that provider
 */
export function outgoingTo(target: Target, call: RelayCall): Outgoing {
  const { provider } = target
  const { draft } = call
  const model = target.model ?? call.model
  const destination = call.destination(provider, model)
  if (!destination) throw new Problem('bad_request', `${provider.name} cannot be asked this.`)
  const { translation, headers = {} } = destination
  if (translation) return { destination, headers, body: translation.body, hidesUsage: false }
  const path = target.model === undefined ? destination.path : withModel(destination.path, target.model, call)
  const includeUsage =
    call.stream && provider.includeUsage && draft?.includesUsage === false && isCounted(path)
  return {
    destination: { ...destination, path },
    headers,
    body: draft?.written({ model, includeUsage }) ?? call.body,
    hidesUsage: includeUsage,
  }
}

/** Where the protocol has the model in the path, another one goes there. */
function withModel(path: string, model: string, { provider, model: asked }: RelayCall): string {
  const named = provider.protocol.modelIn(path)
  return named === undefined || asked === undefined ? path : path.replace(named, encodeURIComponent(model))
}
