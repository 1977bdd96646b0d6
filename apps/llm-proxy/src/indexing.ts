import { randomUUID } from 'node:crypto'
import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { eachOf } from './bounded.ts'
import type { Memory } from './clients.ts'
import type { Models } from './models.ts'
import { cutIntoPassages } from './passages.ts'
import type { Passage, PassageLimits } from './passages.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'
import { createUndoableWrites } from './undo.ts'
import type { UndoableWrites } from './undo.ts'

export interface IndexingOptions {
  models: Models
  memory: Memory
  tokenizer: Tokenizer
  limits: PassageLimits
  /** The collection when none is asked for. */
  collection: string
  embedBatch: number
  writeConcurrency: number
  /** In milliseconds. */
  cleanupTimeoutMs: number
}

export interface Indexing {
  /**
   * Keeps a document in the user's memory: its passages, each with its vector, and last of all the document itself, which
   * makes them count. When that fails midway, what was written is deleted again before the error is thrown.
   * @throws Problem unprocessable or payload_too_large for the document, and what data_store's client throws
   */
  index(input: llmProxy.IndexInput, log: Logger, signal: AbortSignal): Promise<llmProxy.IndexOutput>
  /** Waits for the documents under way, and for what is deleted of those that failed. */
  close(): Promise<void>
}

/** A document that is about to be kept. */
interface Draft {
  id: string
  name: string
  collection: string
  passages: readonly Passage[]
  tokens: number
}

export function createIndexing(options: IndexingOptions): Indexing {
  const underWay = new Set<Promise<void>>()

  const keepOrUndo = async (draft: Draft, log: Logger, signal: AbortSignal) => {
    const writes = createUndoableWrites()
    try {
      await keep(draft, writes, options, signal)
    } catch (error) {
      await writes.undo(options.cleanupTimeoutMs, options.writeConcurrency).catch((undoError: unknown) => {
        // What is left has no document, so no answer is ever taken from it.
        log.error({ err: undoError, document_id: draft.id }, 'an unfinished document could not be deleted')
      })
      throw error
    }
  }

  return {
    async index({ document, collection = options.collection }, log, signal) {
      const passages = await cutIntoPassages(document, options.limits, options.tokenizer, signal)
      if (passages.length === 0) {
        throw new Problem('unprocessable', `There is no text to keep in ${document.name}.`)
      }
      const tokens = passages.reduce((sum, passage) => sum + passage.tokens, 0)
      const draft = { id: randomUUID(), name: document.name, collection, passages, tokens }
      const kept = keepOrUndo(draft, log, signal)
      underWay.add(kept)
      await kept.finally(() => underWay.delete(kept))
      return { document_id: draft.id, collection, chunks: passages.length, tokens }
    },
    async close() {
      await Promise.allSettled(underWay)
    },
  }
}

async function keep(
  { id, name, collection, passages, tokens }: Draft,
  writes: UndoableWrites,
  { models, memory, embedBatch, writeConcurrency }: IndexingOptions,
  signal: AbortSignal,
): Promise<void> {
  const { provider, model } = models.resolve(undefined, 'embedding')
  for (let start = 0; start < passages.length; start += embedBatch) {
    const batch = passages.slice(start, start + embedBatch)
    const vectors = await provider.embed({ model, texts: batch.map(({ text }) => text) }, signal)
    await eachOf([...batch.entries()], writeConcurrency, async ([at, passage]) => {
      signal.throwIfAborted()
      const passageId = `${id}.${String(passage.position)}`
      const stored = { document_id: id, document: name, embedding_model: model, ...passage }
      await writes.write(
        () => memory.addPassage(collection, passageId, stored, vectors[at] ?? []),
        () => memory.removePassage(collection, passageId),
      )
    })
  }
  signal.throwIfAborted()
  const document = { name, collection, chunks: passages.length, tokens, embedding_model: model }
  await writes.write(
    () => memory.addDocument(id, document),
    () => memory.removeDocument(id),
  )
  // The client was told nothing of this document: it will send it again.
  signal.throwIfAborted()
}
