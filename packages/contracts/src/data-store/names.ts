import { z } from 'zod'

export const SERVICE = 'data_store' as const
export const COLLECTION_PATH = '/v1/:backend/collections/:collection'

/** `postgres`, `supabase`, `lancedb`, `filemaker`; see listBackends. */
export const backendName = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'is not the name of a backend')

/** Lower case, so that it means the same on every file system. */
export const collectionName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be a lower-case letter, then up to 62 of a-z, 0-9, _ and -')

/** Unique within one owner's collection. One that the service makes is a UUID that grows with time (version 7). */
export const recordId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'must be a letter or digit, then up to 127 of those, ., _, : and -',
  )

export const collectionParams = z.object({ backend: backendName, collection: collectionName })
export const recordParams = collectionParams.extend({ id: recordId })
