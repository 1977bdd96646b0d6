import { z } from 'zod'
import { endpoint } from '../endpoint.ts'
import { COLLECTION_PATH, collectionParams, SERVICE } from './names.ts'
import { record } from './record.ts'

/** By `text` alone, by `vector` alone, or by both (`hybrid`: two rankings joined by reciprocal rank fusion). */
export const searchMode = z.enum(['text', 'vector', 'hybrid'])

/**
 * The greater the better, and to be compared within one answer only. By vector it is the cosine similarity: 1 is the same direction,
 * 0 nothing in common, -1 the opposite.
 */
export const scoredRecord = record.extend({ score: z.number() })
export type ScoredRecord = z.output<typeof scoredRecord>

export const searchRecords = endpoint({
  service: SERVICE,
  method: 'POST',
  path: `${COLLECTION_PATH}/search`,
  summary:
    "The owner's records that fit a text, a vector or both, best first; without their vectors unless asked",
  params: collectionParams,
  body: z
    .strictObject({
      text: z.string().trim().min(1).max(1_000).optional(),
      vector: z.array(z.number()).min(1).optional(),
      limit: z.int().min(1).max(100).default(10),
      include_vector: z.boolean().default(false),
    })
    .refine(({ text, vector }) => text !== undefined || vector !== undefined, {
      error: 'must have text, vector or both',
    }),
  output: z.object({ items: z.array(scoredRecord) }),
  permission: 'memory.read',
})
