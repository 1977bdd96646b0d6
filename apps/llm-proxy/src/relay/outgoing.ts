import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import { judgedPath } from '../protocols/judged-path.ts'
import type { Operation } from '../protocols/protocol.ts'
import { isOpen } from '../providers/open-paths.ts'
import type { Target } from '../routing/routing.ts'
import type { Destination, RelayCall } from './call.ts'
import type { Draft } from './draft.ts'

/** What one attempt sends. */
export interface Outgoing {
  destination: Destination
  body: Buffer | Readable | undefined
  /** Beside those of the client that may go along. */
  headers: Readonly<Record<string, string>>
  /** Whether usage was asked for by us, so that the client must not see it. */
  hidesUsage: boolean
}

/** What became of it, as whoever reads the answer needs to know it. */
export type Sent = Omit<Outgoing, 'body'>

/** Two operations of OpenAI's know `stream_options.include_usage`. */
const isCounted = (path: string) => judgedPath(path).endsWith('/completions')

/**
 * How the request is put to `target`: the client's bytes, but for another model and for the usage that is asked for.
 * @throws Problem bad_request when it cannot be put to that provider, forbidden when that path of it is not open
 */
export function outgoingTo(target: Target, call: RelayCall): Outgoing {
  const { provider } = target
  const { draft } = call
  const model = target.model ?? call.model
  const destination = call.destination(provider, model)
  if (!destination) throw cannotBeAsked(provider.name, call.operation, model)
  if (!isOpen(destination.path, provider)) {
    throw new Problem('forbidden', `This path of ${provider.name} is not open to users.`, {
      extensions: { reason: 'path_not_open' },
    })
  }
  const { translation, headers = {} } = destination
  if (translation) return { destination, headers, body: translation.body, hidesUsage: false }
  const path = target.model === undefined ? destination.path : withModel(destination.path, target.model, call)
  const includeUsage =
    call.stream && provider.includeUsage && draft?.includesUsage === false && isCounted(path)
  return {
    destination: { ...destination, path },
    headers,
    body:
      draft?.written({ model: modelOfBody(draft, destination.path, target, call), includeUsage }) ??
      call.body,
    hidesUsage: includeUsage,
  }
}

function cannotBeAsked(provider: string, operation: Operation, model = ''): Problem {
  const detail = `${provider} cannot be asked for ${KINDS[operation]} here, which are wanted of its model ${model}.`
  return new Problem('bad_request', detail, {
    extensions: { param: 'model', reason: 'unsupported_operation' },
  })
}

const KINDS: Readonly<Record<Operation, string>> = {
  chat: 'chats',
  text_completion: 'completions',
  embeddings: 'embeddings',
  generate_content: 'contents',
  other: 'other things than chats, completions and embeddings',
}

/**
 * What the body shall name as its model; undefined: what it does. Where the path names the model, the body says what its API
 * wants (Gemini's `models/<model>`), or what nobody reads (Azure): it stays, and becomes another one in the same form.
 */
function modelOfBody(
  { model: said }: Draft,
  path: string,
  { model: other }: Target,
  { provider, model, alias }: RelayCall,
): string | undefined {
  const named = provider.protocol.modelIn(path)
  // On /v1 the body's name is ours, whatever the path looks like: the provider would not know it.
  const isOurs = alias !== undefined || said === `${provider.name}/${model ?? ''}`
  if (named === undefined || isOurs) return other ?? model
  if (other === undefined || said === named) return other
  return said?.endsWith(`/${named}`) ? said.slice(0, -named.length) + other : undefined
}

/**
 * Where the protocol has the model in the path, another one goes there.
 * @throws Problem bad_request when the path spells it otherwise than it is read
 */
function withModel(path: string, model: string, { provider, model: asked }: RelayCall): string {
  const { protocol } = provider
  const named = protocol.modelIn(path)
  if (named === undefined || asked === undefined) return path
  // The name may stand elsewhere in the path too: `/openai/deployments/openai/...`.
  for (let at = path.indexOf(named); at !== -1; at = path.indexOf(named, at + 1)) {
    const other = path.slice(0, at) + encodeURIComponent(model) + path.slice(at + named.length)
    if (protocol.modelIn(other) === model) return other
  }
  throw new Problem('bad_request', 'In this path no other model can take the place of the one it names.')
}
