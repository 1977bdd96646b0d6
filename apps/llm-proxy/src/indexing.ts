import { randomUUID } from 'node:crypto'
import type { llmProxy } from '@waybill/contracts'
import { Problem, requestContext, runInContext } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { Memory } from './clients.ts'
import type { Models } from './models.ts'
import { cutIntoPassages } from './passages.ts'
import type { Passage, PassageLimits } from './passages.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'

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
   */
  index(input: llmProxy.IndexInput, log: Logger, signal: AbortSignal): Promise<llmProxy.IndexOutput>
  /** Waits for what is still being deleted. */
  close(): Promise<void>
}

export function createIndexing(options: IndexingOptions): Indexing {
  const cleanups = new Set<Promise<void>>()

  const cleanUp = async (undo: () => Promise<void>, log: Logger) => {
    const cleanup = inOwnTime(options.cleanupTimeoutMs, undo).catch((error: unknown) => {
      // What is left has no document, so no answer is ever taken from it.
      log.error({ err: error }, 'passages of an unfinished document could not be deleted')
    })
    cleanups.add(cleanup)
    await cleanup.finally(() => cleanups.delete(cleanup))
  }

  return {
    async index({ document, collection = options.collection }, log, signal) {
      const { provider, model } = options.models.resolve(undefined, 'embedding')
      const passages = await cutIntoPassages(document, options.limits, options.tokenizer, signal)
      if (passages.length === 0) {
        throw new Problem('unprocessable', `There is no text to keep in ${document.name}.`)
      }
      const documentId = randomUUID()
      const idOf = (passage: Passage) => `${documentId}.${String(passage.position)}`
      const tokens = passages.reduce((sum, passage) => sum + passage.tokens, 0)
      const attempted: Passage[] = []

      const write = async (passage: Passage, vector: number[] | undefined) => {
        if (!vector) throw new Problem('upstream_failed', `${model} gave too few vectors.`)
        attempted.push(passage)
        const stored = {
          document_id: documentId,
          document: document.name,
          embedding_model: model,
          ...passage,
        }
        await options.memory.addPassage(collection, idOf(passage), stored, vector)
      }
      const undo = async () => {
        await options.memory.removeDocument(documentId)
        await eachOf(attempted, options.writeConcurrency, (passage) =>
          options.memory.removePassage(collection, idOf(passage)),
        )
      }

      try {
        for (let start = 0; start < passages.length; start += options.embedBatch) {
          const batch = passages.slice(start, start + options.embedBatch)
          const vectors = await provider.embed({ model, texts: batch.map(({ text }) => text) }, signal)
          await eachOf([...batch.entries()], options.writeConcurrency, ([at, passage]) => {
            signal.throwIfAborted()
            return unhurried(() => write(passage, vectors[at]))
          })
        }
        signal.throwIfAborted()
        const kept = {
          name: document.name,
          collection,
          chunks: passages.length,
          tokens,
          embedding_model: model,
        }
        await unhurried(() => options.memory.addDocument(documentId, kept))
        signal.throwIfAborted()
      } catch (error) {
        await cleanUp(undo, log)
        throw error
      }
      return { document_id: documentId, collection, chunks: passages.length, tokens }
    },
    async close() {
      await Promise.all(cleanups)
    },
  }
}

/**
 * Runs `work` for every item, at most `concurrency` at a time. After a failure no further item is begun; those under way
 * are waited for, and the first failure is thrown.
 */
async function eachOf<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  const waiting = items.values()
  const worker = async () => {
    for (const item of waiting) {
      if (failures.length > 0) return
      try {
        await work(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
}

/**
 * A write that is broken off when the client goes away may still happen, after its deletion even: one that has begun is
 * therefore waited for, within the deadline of the request.
 */
function unhurried<T>(write: () => Promise<T>): Promise<T> {
  const context = requestContext()
  return context ? runInContext({ ...context, signal: new AbortController().signal }, write) : write()
}

/** Runs `work` for the user of the request being served, although that request may be over. */
function inOwnTime<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const context = requestContext()
  if (!context) return work()
  const deadline = Date.now() + timeoutMs
  return runInContext({ ...context, deadline, signal: AbortSignal.timeout(timeoutMs) }, work)
}
