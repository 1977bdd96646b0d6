import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingHttpHeaders } from 'node:http'
import { Problem, requestContext } from '@waybill/service-kit'
import { openAiProtocol } from '../protocols/openai.ts'
import { readDraft } from '../relay/draft.ts'
import type { Relay } from '../relay/relay.ts'
import type { ResolvedModel } from '../relay/resolve-model.ts'
import type { Target } from '../routing/routing.ts'
import { v1Destination } from '../relay/v1-destination.ts'
import type { ChatTranslations } from '../relay/v1-destination.ts'
import { CapturedAnswer } from './captured-answer.ts'
import { chatDestination } from './chat-dialect.ts'
import { refusalOf } from './refusal.ts'

/** Asks vendors' models in OpenAI's protocol, as the user whose request is being served: with that user's key, limits and usage. */
export interface Vendors {
  /**
   * The answer to `body` at `/v1<path>`, its status known to be one of success.
   * @throws Problem when the provider refuses or fails, or what the relay throws
   */
  ask(
    path: '/chat/completions' | '/embeddings',
    target: ResolvedModel,
    body: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<CapturedAnswer>
  /** Runs `work` with the key that the headers of its request name (`X-Provider-Key`). */
  withKeyOf<T>(headers: IncomingHttpHeaders, work: () => Promise<T>): Promise<T>
}

export function createVendors(relay: Relay, translations: ChatTranslations): Vendors {
  const keys = new AsyncLocalStorage<string | undefined>()
  return {
    withKeyOf: (headers, work) => keys.run(keyIn(headers), work),

    async ask(path, target, body, signal) {
      const context = requestContext()
      if (context?.principal?.kind !== 'user') throw new Problem('internal', 'A vendor is asked for no user.')
      const draft = readDraft(Buffer.from(JSON.stringify({ ...body, model: target.model })))
      const key = keys.getStore()
      const answer = new CapturedAnswer()
      const giveUp = () => {
        answer.fail(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      answer.once('close', () => {
        signal.removeEventListener('abort', giveUp)
      })
      const call = {
        ...{ ...target, draft, signal },
        principal: context.principal,
        log: context.log,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key !== undefined && { 'x-provider-key': key }),
        },
        protocol: openAiProtocol,
        operation: openAiProtocol.operationOf(path),
        stream: draft.stream,
        body: undefined,
        query: '',
        answeredBy({ provider: { name }, model = '' }: Pick<Target, 'provider' | 'model'>) {
          answer.answeredBy = { provider: name, model: `${name}/${model}` }
        },
        destination:
          path === '/chat/completions'
            ? chatDestination(draft, translations)
            : v1Destination(path, draft, translations),
      }
      relay.relay(call, answer).catch((error: unknown) => {
        answer.fail(error)
      })
      await answer.head()
      if (answer.statusCode >= 400)
        throw await refusalOf(answer, answer.answeredBy?.provider ?? target.provider.name)
      return answer
    },
  }
}

function keyIn(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['x-provider-key']
  return typeof key === 'string' ? key : undefined
}
