import { randomUUID } from 'node:crypto'
import type { llmProxy } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { batchesOf } from './batches.ts'
import type { BatchLimits } from './batches.ts'
import { isRefusal } from './clients.ts'
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
  writeBatch: BatchLimits
  cleanupConcurrency: number
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
  /** That embeds them, when one is asked for. */
  model: string | undefined
}

export function createIndexing(options: IndexingOptions): Indexing {
  const underWay = new Set<Promise<void>>()

  const keepOrUndo = async (draft: Draft, log: Logger, signal: AbortSignal) => {
    const writes = createUndoableWrites(isRefusal)
    try {
      await keep(draft, writes, options, signal)
    } catch (error) {
      await writes.undo(options.cleanupTimeoutMs, options.cleanupConcurrency).catch((undoError: unknown) => {
        // What is left has no document, so no answer is ever taken from it.
        log.error({ err: undoError, document_id: draft.id }, 'an unfinished document could not be deleted')
      })
      throw error
    }
  }

  return {
    async index({ document, model, collection = options.collection }, log, signal) {
      const passages = await cutIntoPassages(document, options.limits, options.tokenizer, signal)
      if (passages.length === 0) {
        throw new Problem('unprocessable', `There is no text to keep in ${document.name}.`)
      }
      const tokens = passages.reduce((sum, passage) => sum + passage.tokens, 0)
      const draft = { id: randomUUID(), name: document.name, collection, passages, tokens, model }
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
  { id, name, collection, passages, tokens, model: asked }: Draft,
  writes: UndoableWrites,
  options: IndexingOptions,
  signal: AbortSignal,
): Promise<void> {
  const { memory, writeBatch } = options
  // Before anything is written, so that a model that fails leaves nothing to take back.
  const { model, vectors } = await embed(passages, asked, options, signal)
  const stored = passages.map((passage, at) => ({
    id: `${id}.${String(passage.position)}`,
    data: { document_id: id, document: name, embedding_model: model, ...passage, vector: vectors[at] ?? [] },
  }))
  for (const batch of batchesOf(stored, writeBatch)) {
    signal.throwIfAborted()
    await writes.write(
      () => memory.addPassages(collection, batch),
      batch.map((passage) => () => memory.removePassage(collection, passage.id)),
    )
  }
  signal.throwIfAborted()
  const document = { name, collection, chunks: passages.length, tokens, embedding_model: model }
  await writes.write(() => memory.addDocument(id, document), [() => memory.removeDocument(id)])
  // The client was told nothing of this document: it will send it again.
  signal.throwIfAborted()
}

/** The vectors of `passages`, in their order. */
async function embed(
  passages: readonly Passage[],
  asked: string | undefined,
  { models, embedBatch }: IndexingOptions,
  signal: AbortSignal,
): Promise<{ model: string; vectors: number[][] }> {
  const { provider, model } = models.resolve(asked, 'embedding')
  const vectors: number[][] = []
  for (let start = 0; start < passages.length; start += embedBatch) {
    const texts = passages.slice(start, start + embedBatch).map(({ text }) => text)
    vectors.push(...(await provider.embed({ model, texts }, signal)))
  }
  return { model, vectors }
}
