import type { llmProxy } from '@waybill/contracts'
import type { Memory } from './clients.ts'
import type { Models } from './models.ts'

export interface AnsweringOptions {
  models: Models
  memory: Memory
  /** The collection when none is asked for. */
  collection: string
  /** How many passages are looked at. */
  candidates: number
}

const DEFAULT_PASSAGES = 3

/**
 * Returns an answer from the user's memory with the passages that it comes from, the best first. `answer` is null and
 * `passages` empty when none of them speaks of what is asked. A passage whose document is not there, because it was deleted
 * or never finished, does not count.
 */
export async function answerFromMemory(
  { question, collection, limit = DEFAULT_PASSAGES, ...asked }: llmProxy.AnswerInput,
  { models, memory, ...options }: AnsweringOptions,
  signal: AbortSignal,
): Promise<llmProxy.AnswerOutput> {
  const chat = models.resolve(asked.model, 'chat')
  const embedding = models.resolve(asked.embedding_model, 'embedding')
  const [vector = []] = await embedding.provider.embed({ model: embedding.model, texts: [question] }, signal)
  let candidates = await memory.search(collection ?? options.collection, vector, options.candidates)

  for (;;) {
    const answer = await chat.provider.answer({ model: chat.model, question, candidates }, signal)
    if (!answer) return { answer: null, passages: [], model: chat.model }
    const sources = answer.sources.slice(0, limit).flatMap(({ index, score }) => {
      const passage = candidates[index]
      if (!passage) return []
      const { text, document, document_id, position } = passage
      return [{ text, document, document_id, position, score: Math.round(score * 10_000) / 10_000 }]
    })
    const missing = await missingDocuments(
      sources.map((source) => source.document_id),
      memory,
    )
    if (missing.size === 0) return { answer: answer.text, passages: sources, model: chat.model }
    candidates = candidates.filter((candidate) => !missing.has(candidate.document_id))
  }
}

async function missingDocuments(ids: readonly string[], memory: Memory): Promise<Set<string>> {
  const unique = [...new Set(ids)]
  const present = await Promise.all(unique.map((id) => memory.hasDocument(id)))
  return new Set(unique.filter((_, index) => present[index] !== true))
}
