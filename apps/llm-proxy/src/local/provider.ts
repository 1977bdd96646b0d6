import { Problem } from '@waybill/service-kit'
import type { Answer, ChatEvent, Provider } from '../provider.ts'
import { createPace } from '../text/pace.ts'
import { DEFAULT_ENCODING } from '../tokens/encodings.ts'
import type { Slice, Tokenizer } from '../tokens/tokenizer.ts'
import { extractAnswer, rankByRelevance } from './answer.ts'
import { replyTo } from './conversation.ts'
import { hashEmbedding } from './embedding.ts'
import { bestSentences } from './summary.ts'

export const EXTRACTIVE_MODEL = 'local/extractive'
export const EMBEDDING_MODEL = 'local/hash-embedding-256'
const DIMENSIONS = { default: 256, min: 16, max: 4096 }

/** 2026-11-01, in seconds: when the two were first written. */
const CREATED = 1_793_491_200

/**
 * Returns the provider that is always there: no network, no key, the same output for the same input. It is no language
 * model. It counts tokens, hashes words into vectors, and takes sentences out of the texts that it is given.
 */
export function createLocalProvider(tokenizer: Tokenizer): Provider {
  return {
    name: 'local',
    models: [
      { id: EXTRACTIVE_MODEL, kind: 'chat', created: CREATED },
      { id: EMBEDDING_MODEL, kind: 'embedding', created: CREATED, dimensions: DIMENSIONS.default },
    ],

    async *chat({ messages, maxTokens, inputTokens }, signal): AsyncGenerator<ChatEvent> {
      const whole = await replyTo(messages, signal)
      const output = await startOf(whole, maxTokens, tokenizer, signal)
      for (const [piece] of output.text.matchAll(/\s*\S+|\s+$/g)) {
        signal.throwIfAborted()
        yield { kind: 'delta', text: piece }
      }
      yield {
        kind: 'end',
        finishReason: output.text.length < whole.length ? 'length' : 'stop',
        usage: {
          input_tokens: inputTokens,
          output_tokens: output.tokens,
          total_tokens: inputTokens + output.tokens,
        },
      }
    },

    async embed({ texts, dimensions = DIMENSIONS.default }, signal) {
      if (dimensions < DIMENSIONS.min || dimensions > DIMENSIONS.max) {
        const range = `${String(DIMENSIONS.min)} to ${String(DIMENSIONS.max)}`
        throw new Problem('bad_request', `${EMBEDDING_MODEL} has ${range} dimensions.`, {
          extensions: { param: 'dimensions' },
        })
      }
      const pace = createPace(signal)
      const vectors: number[][] = []
      for (const text of texts) {
        if (pace.isDue(text.length)) await pace.pause()
        vectors.push(hashEmbedding(text, dimensions))
      }
      return vectors
    },

    summarize: ({ text, maxSentences }, signal) => bestSentences(text, maxSentences, signal),

    async answer({ question, candidates }, signal): Promise<Answer | undefined> {
      const ranked = await rankByRelevance(
        question,
        candidates.map((candidate, index) => ({ ...candidate, index })),
        ({ text }) => text,
        ({ similarity }) => similarity,
        signal,
      )
      const best = ranked[0]
      if (!best) return undefined
      const sources = ranked.map(({ item, score }) => ({ index: item.index, score }))
      return { text: await extractAnswer(question, best.item.text, signal), sources }
    },
  }
}

/** The start of `text` that has at most `maxTokens` tokens. */
async function startOf(
  text: string,
  maxTokens: number,
  tokenizer: Tokenizer,
  signal: AbortSignal,
): Promise<Slice> {
  for await (const slice of tokenizer.slices(text, maxTokens, DEFAULT_ENCODING, signal)) {
    if (slice.tokens <= maxTokens) return slice
    break
  }
  return { text: '', tokens: 0 }
}
