import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { openDatabase } from '@waybill/database'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { createResponseCache } from './cache/response-cache.ts'
import { createMemory } from './clients.ts'
import type { Config } from './config.ts'
import { createIndexing } from './indexing.ts'
import { openKeys } from './keys/open-keys.ts'
import { createLocalProvider } from './local/provider.ts'
import { createModels } from './models.ts'
import type { Provider } from './provider.ts'
import { createCatalog } from './providers/catalog.ts'
import { readProvidersFile } from './providers/providers-file.ts'
import { sendableHeaders } from './relay/header-policy.ts'
import { createLoop, deploymentName } from './relay/loop.ts'
import { createRelay } from './relay/relay.ts'
import { executeRoutes } from './routes/execute.ts'
import { keyRoutes } from './routes/keys.ts'
import { llmRoutes } from './routes/llm.ts'
import { modelsRoutes } from './routes/openai-models.ts'
import { passthroughRoutes } from './routes/passthrough.ts'
import { tokenizeRoutes } from './routes/tokenize.ts'
import { usageRoutes } from './routes/usage.ts'
import { v1Routes } from './routes/v1.ts'
import { createRouting } from './routing/create-routing.ts'
import type { Tables } from './tables.ts'
import { createTokenizer } from './tokens/tokenizer.ts'
import { translateChat } from './translation/anthropic-chat.ts'
import { createLocalCalls } from './usage/local-calls.ts'
import { openUsage } from './usage/usage.ts'
import { createVendors } from './vendors/ask.ts'
import { createModelList } from './vendors/model-list.ts'
import { vendorModels } from './vendors/vendor-models.ts'

const NAME = 'llm-proxy'

export interface Dependencies {
  issuer: Issuer
  logger: Logger
  /** Beside `local`, which is always there. */
  providers: readonly Provider[]
}

/** Language models behind one door, with the user's own keys, and the user's memory in data_store. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const tls = openTls({ service: NAME, config, logger: log })
  const http = createHttpClient({ service: NAME, config, tls })
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: NAME })

  const declared = readProvidersFile(config.PROVIDERS_FILE)
  const catalog = createCatalog(config, declared)
  const vendorOf = llmProxy.vendorPaths(
    Object.fromEntries(catalog.all().map(({ name, protocol }) => [name, protocol.name])),
  )
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? http.issuer,
    audiences: [NAME, config.PLATFORM_AUDIENCE],
    sdkCredentials: llmProxy.sdkCredentialPaths(vendorOf),
    tls,
    log,
  })

  const loop = createLoop(deploymentName(config))
  const { ring, keys } = openKeys({ config, database, http, log, catalog, loop })
  const usage = openUsage({ config, database, prices: declared.prices, log })
  const routing = createRouting(declared.routes, {
    catalog,
    told: (change) => log.warn(change, 'a circuit of a provider changed'),
  })
  const upstream = http.external({
    allowHeaders: sendableHeaders(catalog.all()),
    allowPrivateOrigins: config.PRIVATE_UPSTREAMS,
    maxSockets: config.UPSTREAM_MAX_SOCKETS,
  })
  const relay = createRelay({
    ...{ routing, config, upstream, loop },
    keys: ring,
    meter: usage.meter,
    cache: createResponseCache(config),
  })
  const relaying = {
    relay,
    bodyLimitBytes: config.RELAY_BODY_LIMIT_BYTES,
    maxJson: { values: config.RELAY_MAX_JSON_VALUES, depth: config.RELAY_MAX_JSON_DEPTH },
    // Its own time-outs come first; this one is for what they do not see.
    timeoutMs: config.UPSTREAM_TOTAL_TIMEOUT_MS + 5_000,
  }

  const translations = {
    anthropic: (bytes: Buffer, model: string) =>
      translateChat(bytes, model, { defaultMaxTokens: config.TRANSLATED_MAX_TOKENS }),
  }

  const tokenizer = createTokenizer()
  const vendors = createVendors(relay, translations)
  const models = createModels(
    [createLocalProvider(tokenizer), ...(overrides.providers ?? [])],
    { chat: config.DEFAULT_MODEL, embedding: config.DEFAULT_EMBEDDING_MODEL },
    vendorModels({
      ...{ catalog, routing, vendors, tokenizer },
      maxOutputTokens: config.MAX_OUTPUT_TOKENS,
      maxAnswerBytes: config.MAX_READ_ANSWER_BYTES,
      maxFrameBytes: config.MAX_FRAME_BYTES,
    }),
  )
  const modelList = createModelList({
    ...{ catalog, upstream, loop, translations, keys: ring },
    cacheSeconds: config.MODELS_CACHE_SECONDS,
    cacheEntries: config.MODELS_CACHE_ENTRIES,
    timeoutMs: config.MODELS_TIMEOUT_MS,
    maxBytes: config.MAX_READ_ANSWER_BYTES,
  })
  const memory = createMemory(http.internal('data_store', config.DATA_STORE_URL))
  const shared = { models, tokenizer, memory, collection: config.MEMORY_COLLECTION }
  const completion = {
    ...shared,
    maxInputTokens: config.MAX_INPUT_TOKENS,
    maxOutputTokens: config.MAX_OUTPUT_TOKENS,
  }
  const embedding = {
    ...shared,
    maxTexts: config.MAX_EMBED_TEXTS,
    maxNumbers: config.MAX_EMBED_NUMBERS,
    maxTokensPerText: config.MAX_EMBED_TOKENS,
  }
  const indexing = createIndexing({
    ...shared,
    limits: { passageTokens: config.PASSAGE_TOKENS, maxPassages: config.MAX_PASSAGES },
    embedBatch: config.EMBED_BATCH_SIZE,
    writeBatch: { maxItems: config.WRITE_BATCH_SIZE, maxBytes: config.WRITE_BATCH_BYTES },
    cleanupConcurrency: config.CLEANUP_CONCURRENCY,
    cleanupTimeoutMs: config.CLEANUP_TIMEOUT_MS,
  })
  const localCalls = createLocalCalls(usage.meter)
  const here = { vendors, localCalls, timeoutMs: relaying.timeoutMs }
  const answering = { ...shared, candidates: config.SEARCH_CANDIDATES }

  return createService({
    name: NAME,
    config,
    auth,
    tls,
    throttle: usage.throttle,
    routes: [
      ...llmRoutes(completion, here),
      ...executeRoutes({ indexing, answering, summarizing: completion, embedding }, here),
      ...tokenizeRoutes(tokenizer, localCalls),
      ...keyRoutes(keys, usage.quotas.counter('key-checks', config.KEY_CHECKS_PER_MINUTE, 60)),
      ...usageRoutes(usage),
      ...modelsRoutes(models, modelList, loop),
      ...v1Routes({ ...relaying, catalog, routing, completion, embedding, translations, localCalls }),
      ...passthroughRoutes(catalog, relaying),
    ],
    logger: log,
    starting: [(signal) => database.start(signal), () => usage.start()],
    readiness: { database: () => database.check() },
    closing: [() => indexing.close(), () => usage.close(), () => http.close(), () => database.close()],
  })
}
