import { dataStore } from '@waybill/contracts'
import { DownstreamError } from '@waybill/http-client'
import type { InternalClient } from '@waybill/http-client'
import { z } from 'zod'

/** What is kept of a passage, beside the vector that it is found by. */
const passageData = z.object({
  document_id: z.string(),
  document: z.string(),
  position: z.int().nonnegative(),
  text: z.string(),
  tokens: z.int().nonnegative(),
  embedding_model: z.string(),
})
type StoredPassage = z.output<typeof passageData>

/** A passage that is to be kept, with its vector. */
export interface NewPassage {
  id: string
  data: StoredPassage & { vector: number[] }
}

/** What is kept of a document: its passages hold the text. */
interface StoredDocument {
  name: string
  collection: string
  chunks: number
  tokens: number
  embedding_model: string
}

/** The memory of the user whose request is being served, in data_store. Every method throws what the client throws. */
export interface Memory {
  /** All of them, or none. */
  addPassages(collection: string, passages: NewPassage[]): Promise<void>
  /** No error when there is none. */
  removePassage(collection: string, id: string): Promise<void>
  addDocument(id: string, document: StoredDocument): Promise<void>
  removeDocument(id: string): Promise<void>
  hasDocument(id: string): Promise<boolean>
  /** The passages nearest to `vector`, with their cosine similarity. Records that are no passages are left out. */
  search(
    collection: string,
    vector: number[],
    limit: number,
  ): Promise<(StoredPassage & { similarity: number })[]>
}

const DOCUMENTS = { backend: 'postgres', collection: 'documents' }
const passagesIn = (collection: string) => ({ backend: 'lancedb', collection })

export function createMemory(store: InternalClient): Memory {
  const remove = async (params: { backend: string; collection: string; id: string }) => {
    await orIfMissing(store.call(dataStore.deleteRecord, { params }), undefined)
  }
  return {
    async addPassages(collection, passages) {
      await store.call(dataStore.createRecords, {
        params: passagesIn(collection),
        body: { records: passages },
      })
    },
    removePassage: (collection, id) => remove({ ...passagesIn(collection), id }),
    async addDocument(id, document) {
      await store.call(dataStore.createRecord, { params: DOCUMENTS, body: { id, data: { ...document } } })
    },
    removeDocument: (id) => remove({ ...DOCUMENTS, id }),
    async hasDocument(id) {
      const found = store.call(dataStore.getRecord, { params: { ...DOCUMENTS, id } }).then(() => true)
      return orIfMissing(found, false)
    },
    async search(collection, vector, limit) {
      const params = passagesIn(collection)
      // A search changes nothing, so it may be made twice although it is a POST.
      const call = { params, body: { vector, limit }, idempotent: true }
      const { items } = await store.call(dataStore.searchRecords, call)
      return items.flatMap(({ data, score }) => {
        const passage = passageData.safeParse(data)
        return passage.success ? [{ ...passage.data, similarity: score }] : []
      })
    },
  }
}

/** Whether data_store has said no, which it does before it writes anything. */
export function isRefusal(error: unknown): boolean {
  const status = error instanceof DownstreamError ? error.downstreamStatus : undefined
  return status !== undefined && status >= 400 && status < 500
}

async function orIfMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof DownstreamError && error.downstreamStatus === 404) return otherwise
    throw error
  }
}
