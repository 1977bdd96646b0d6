import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { createMemory } from './clients.ts'
import type { Config } from './config.ts'
import { createIndexing } from './indexing.ts'
import { createLocalProvider } from './local/provider.ts'
import { createModels } from './models.ts'
import type { Provider } from './provider.ts'
import { executeRoutes } from './routes/execute.ts'
import { llmRoutes } from './routes/llm.ts'
import { chatRoutes } from './routes/openai-chat.ts'
import { embeddingsRoutes } from './routes/openai-embeddings.ts'
import { modelsRoutes } from './routes/openai-models.ts'
import { tokenizeRoutes } from './routes/tokenize.ts'
import { createTokenizer } from './tokens/tokenizer.ts'

const NAME = 'llm-proxy'

export interface Dependencies {
  issuer: Issuer
  logger: Logger
  /** Beside `local`, which is always there. */
  providers: readonly Provider[]
}

/** Language models behind one door, and the user's memory in data_store. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const tls = openTls({ service: NAME, config, logger: log })
  const http = createHttpClient({ service: NAME, config, tls })
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? http.issuer,
    audiences: [NAME, config.PLATFORM_AUDIENCE],
    tls,
    log,
  })

  const tokenizer = createTokenizer()
  const models = createModels([createLocalProvider(tokenizer), ...(overrides.providers ?? [])], {
    chat: config.DEFAULT_MODEL,
    embedding: config.DEFAULT_EMBEDDING_MODEL,
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
  const answering = { ...shared, candidates: config.SEARCH_CANDIDATES }

  return createService({
    name: NAME,
    config,
    auth,
    tls,
    routes: [
      ...llmRoutes(completion),
      ...executeRoutes({ indexing, answering, summarizing: completion, embedding }),
      ...tokenizeRoutes(tokenizer),
      ...chatRoutes(completion),
      ...embeddingsRoutes(embedding),
      ...modelsRoutes(models),
    ],
    logger: log,
    closing: [() => indexing.close(), () => http.close()],
  })
}
