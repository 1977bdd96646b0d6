import type { llmProxy } from '@waybill/contracts'
import { createHttpClient, clientEnv } from '@waybill/http-client'
import { createLogger, createService, loadConfig, Problem, Secret, serviceEnv } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { z } from 'zod'
import { createResponseCache } from '../src/cache/response-cache.ts'
import { cacheEnv } from '../src/cache/config.ts'
import type { KeyRing } from '../src/keys/open-key.ts'
import { createLocalProvider } from '../src/local/provider.ts'
import { createModels } from '../src/models.ts'
import { protocolsEnv } from '../src/protocols/config.ts'
import { createCatalog } from '../src/providers/catalog.ts'
import { providersEnv } from '../src/providers/config.ts'
import { readProvidersFile } from '../src/providers/providers-file.ts'
import { relayEnv } from '../src/relay/config.ts'
import { sendableHeaders } from '../src/relay/header-policy.ts'
import { createLoop } from '../src/relay/loop.ts'
import { createRelay } from '../src/relay/relay.ts'
import { passthroughRoutes } from '../src/routes/passthrough.ts'
import { v1Routes } from '../src/routes/v1.ts'
import { createRouting } from '../src/routing/create-routing.ts'
import { createTokenizer } from '../src/tokens/tokenizer.ts'
import { createLocalCalls } from '../src/usage/local-calls.ts'
import type { CallOutcome, Meter, MeteredCall } from '../src/usage/meter.ts'
import { startScriptedUpstream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'

export const PROVIDER_KEY = 'sk-provider-key-of-alice-0123456789'
export const CALLERS_TOKEN = 'token-of-alice'
const ALICE: UserPrincipal = {
  ...{ kind: 'user', userId: 'alice', role: 'user', permissions: ['agents.query'], actors: [], via: 'jwt' },
}

/** A call that was metered; `ended` resolves with how, and `ends` counts how often that was said. */
export interface Metered {
  call: MeteredCall
  ends: CallOutcome[]
  ended: Promise<CallOutcome>
}

/**
 * The relay and its routes on a socket, in front of a provider that does as the test says: everything on the way of the
 * bytes is real, keys and limits are not.
 */
export interface RelaySetting {
  url: string
  upstream: ScriptedUpstream
  metered: Metered[]
  /** Everything that was logged so far. */
  logged(): string
  /** How many places are held by requests whose body was large. */
  places(): number
  /** Whether such requests find none. */
  fill(isFull: boolean): void
  /** A request with alice's token; `body` is sent as it stands. */
  send(path: string, body?: RequestInit['body'], init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** The error of an answer in OpenAI's shape. */
export async function errorOf(answer: Response): Promise<llmProxy.OpenAiError['error']> {
  return ((await answer.json()) as llmProxy.OpenAiError).error // whatever it is, each test compares it
}

const NAMES = ['openai', 'anthropic', 'gemini', 'mistral', 'openrouter']
const schema = z.object({
  ...serviceEnv({ port: 0 }),
  ...clientEnv,
  ...relayEnv,
  ...protocolsEnv,
  ...providersEnv,
  ...cacheEnv,
})

export async function startRelaySetting(
  environment: Record<string, string> = {},
  { withoutKey = [] as readonly string[] } = {},
): Promise<RelaySetting> {
  const upstream = await startScriptedUpstream()
  const config = loadConfig(schema, {
    SERVICE_SECRET: 'not used here',
    PROVIDER_URLS: NAMES.map((name) => `${name}=${upstream.url}`).join(','),
    ...environment,
  })
  let logged = ''
  const destination = { write: (line: string) => void (logged += line) }
  const log = createLogger({ service: 'llm-proxy', level: 'debug', destination })
  const http = createHttpClient({ service: 'llm-proxy', config })
  const file = readProvidersFile(config.PROVIDERS_FILE)
  const catalog = createCatalog(config, file)
  const routing = createRouting(file.routes, { catalog })
  const metered: Metered[] = []
  let places = 0
  let full = false
  const keys: Pick<KeyRing, 'open'> = {
    open(_principal, provider, key = 'default') {
      if (withoutKey.includes(provider))
        return Promise.reject(new Problem('forbidden', `You have no key for ${provider}.`))
      return Promise.resolve({
        ...{ id: `${provider}-${key}`, name: key, version: '1' },
        secret: new Secret(PROVIDER_KEY),
      })
    },
  }
  const metering: Meter = {
    enter: () => {
      if (full) return Promise.reject(new Problem('rate_limited', 'All places are taken.'))
      places += 1
      return Promise.resolve({ leave: () => void (places -= 1) })
    },
    begin: (call) => Promise.resolve(meter(call, metered)),
  }
  const localCalls = createLocalCalls(metering)
  const relay = createRelay({
    ...{ keys, routing, config, loop: createLoop('llm-proxy') },
    cache: createResponseCache(config),
    meter: metering,
    upstream: http.external({
      allowHeaders: sendableHeaders(catalog.all()),
      allowPrivateOrigins: config.PRIVATE_UPSTREAMS,
    }),
  })
  const relaying = {
    relay,
    bodyLimitBytes: config.RELAY_BODY_LIMIT_BYTES,
    maxJson: { values: config.RELAY_MAX_JSON_VALUES, depth: config.RELAY_MAX_JSON_DEPTH },
    timeoutMs: config.UPSTREAM_TOTAL_TIMEOUT_MS + 5_000,
  }
  const tokenizer = createTokenizer()
  const models = createModels([createLocalProvider(tokenizer)], {
    chat: 'local/extractive',
    embedding: 'local/hash-embedding-256',
  })
  const limits = {
    maxInputTokens: 1000,
    maxOutputTokens: 100,
    maxTexts: 9,
    maxNumbers: 9999,
    maxTokensPerText: 99,
  }
  const local = { models, tokenizer, ...limits }
  const service = createService({
    name: 'llm-proxy',
    config,
    logger: log,
    auth: {
      authenticate: ({ headers }) =>
        headers.authorization === `Bearer ${CALLERS_TOKEN}` ? { principal: ALICE } : undefined,
    },
    routes: [
      ...v1Routes({
        ...relaying,
        catalog,
        routing,
        completion: local,
        embedding: local,
        translations: {},
        localCalls,
      }),
      ...passthroughRoutes(catalog, relaying),
    ],
    closing: [() => http.close()],
  })
  await service.start()
  const { url } = await service.listen({ port: 0 })
  return {
    ...{ url, upstream, metered },
    logged: () => logged,
    places: () => places,
    fill: (isFull) => void (full = isFull),
    send: (path, body, { headers, ...init } = {}) =>
      fetch(url + path, {
        method: body === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        ...(body !== undefined && { body }),
        ...init,
        headers: {
          'Content-Type': 'application/json',
          Authorization: `Bearer ${CALLERS_TOKEN}`,
          ...(headers as Record<string, string> | undefined), // tests give no other kind
        },
      }),
    async close() {
      await upstream.close()
      await service.close()
    },
  }
}

function meter(call: MeteredCall, metered: Metered[]) {
  const { promise: ended, resolve } = Promise.withResolvers<CallOutcome>()
  const one: Metered = { call, ends: [], ended }
  metered.push(one)
  return {
    headers: { 'x-waybill-ratelimit-remaining-requests': '7' },
    end(outcome: CallOutcome) {
      one.ends.push(outcome)
      resolve(outcome)
    },
  }
}
