import { SDK_SCHEMES, user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { Problem, route, validate } from '@waybill/service-kit'
import type { Route, RouteInput, UserPrincipal } from '@waybill/service-kit'
import type { z } from 'zod'
import type { CompletionOptions } from '../completion.ts'
import type { EmbeddingOptions } from '../embedding-texts.ts'
import type { Catalog } from '../providers/provider-definition.ts'
import { openAiProtocol } from '../protocols/openai.ts'
import type { Draft } from '../relay/draft.ts'
import { isUnmetered } from '../relay/estimate.ts'
import { incomingBody } from '../relay/incoming.ts'
import { wirePath } from '../relay/upstream-url.ts'
import { createResolver } from '../relay/resolve-model.ts'
import type { Routing } from '../routing/routing.ts'
import { v1Destination } from '../relay/v1-destination.ts'
import type { ChatTranslations } from '../relay/v1-destination.ts'
import type { LocalCalls } from '../usage/local-calls.ts'
import { CACHE_HEADER, chatCompletion, completionsRequest, ERROR_BODIES } from './described.ts'
import { KEY_HEADER, responsesRequest, restRequest } from './described.ts'
import { answerChat } from './openai-chat.ts'
import type { HereInput } from './openai-chat.ts'
import { answerEmbeddings } from './openai-embeddings.ts'
import { RELAY_PROBLEMS } from './passthrough.ts'
import type { PassthroughOptions } from './passthrough.ts'

export interface V1Options extends PassthroughOptions {
  catalog: Catalog
  routing: Pick<Routing, 'alias'>
  translations: ChatTranslations
  /** Models that are answered for here, `local/...` first of all. */
  completion: CompletionOptions
  embedding: EmbeddingOptions
  localCalls: Pick<LocalCalls, 'metered'>
}

type Input = RouteInput<unknown, unknown, unknown, UserPrincipal>

/** OpenAI's API, whoever the provider is: the part of `model` before its first slash says that, and is cut off. */
export function v1Routes(options: V1Options): Route[] {
  const handle = v1Handler(options)
  return V1.map(([path, summary, shapes]) =>
    route('POST', path, {
      auth: user('agents.query'),
      summary,
      bodyType: 'stream',
      bodyLimitBytes: options.bodyLimitBytes,
      timeoutMs: options.timeoutMs,
      takesTheRest: path === THE_REST,
      renderProblem: llmProxy.openAiError,
      problems: RELAY_PROBLEMS,
      describes: {
        ...shapes,
        schemes: SDK_SCHEMES.anywhere,
        requestHeaders: { ...KEY_HEADER, ...(path !== THE_REST && CACHE_HEADER) },
        error: ERROR_BODIES.openai,
      },
      handle,
    }),
  )
}

const THE_REST = '/v1/*path'
const JSON_ONLY = ['application/json']
const JSON_OR_STREAM = ['application/json', 'text/event-stream']
const V1 = [
  [
    '/v1/chat/completions',
    "OpenAI's chat completions, as JSON or as a stream.",
    { body: llmProxy.chatRequest, output: chatCompletion, answers: JSON_OR_STREAM },
  ],
  [
    '/v1/completions',
    "OpenAI's legacy completions, as JSON or as a stream.",
    { body: completionsRequest, answers: JSON_OR_STREAM },
  ],
  [
    '/v1/embeddings',
    "OpenAI's embeddings.",
    { body: llmProxy.embeddingsRequest, output: llmProxy.embeddingsResponse, answers: JSON_ONLY },
  ],
  [
    '/v1/responses',
    "OpenAI's responses, as JSON or as a stream.",
    { body: responsesRequest, answers: JSON_OR_STREAM },
  ],
  [
    THE_REST,
    "What else of OpenAI's API takes a body that names a model.",
    { body: restRequest, answers: ['*/*'] },
  ],
] as const

function v1Handler(options: V1Options) {
  const { catalog, routing, relay, completion, translations, localCalls } = options
  const resolve = createResolver({ catalog, routing, own: completion.models })
  const answer = async (input: Input, hasEntered: boolean): Promise<unknown> => {
    const { req, res, principal, log, signal } = input
    const { path, query } = wirePath(req.originalUrl, '/v1')
    const operation = openAiProtocol.operationOf(path)
    const { draft } = await incomingBody(req, operation === 'other' ? 'chat' : operation, options, signal)
    if (draft?.model === undefined) throw noModel()
    const found = resolve(draft.model)
    if (found === 'own') return answerHere(path, draft, options, { ...input, localCalls, hasEntered })
    const call = {
      ...{ principal, log, signal, operation, draft, query, hasEntered, ...found },
      method: req.method,
      unmetered: isUnmetered({ ...found.provider, protocol: openAiProtocol }, req.method, path),
      headers: req.headers,
      protocol: openAiProtocol,
      stream: draft.stream,
      body: undefined,
      destination: v1Destination(path, draft, translations),
    }
    await relay.relay(call, res)
    return undefined
  }
  return (input: Input) =>
    relay.admitted(input.req, input.principal, (hasEntered) => answer(input, hasEntered))
}

async function answerHere(
  path: string,
  { body }: Draft,
  { completion, embedding }: V1Options,
  input: HereInput,
): Promise<unknown> {
  // Express minds neither case nor a slash at the end.
  switch (path.toLowerCase().replace(/\/$/, '')) {
    case '/chat/completions':
      return answerChat(validBody(llmProxy.chatRequest, body), completion, input)
    case '/embeddings':
      return answerEmbeddings(validBody(llmProxy.embeddingsRequest, body), embedding, input)
    default:
      throw new Problem('not_found', `The models of this service do not answer /v1${path}.`)
  }
}

function validBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  // What validate() gives back is what the schema made of it.
  return validate({ body: schema }, { params: undefined, query: undefined, body }).body as z.output<S>
}

function noModel(): Problem {
  return new Problem('validation_failed', 'body.model: a name is required, such as openai/gpt-5', {
    extensions: { param: 'model' },
  })
}
