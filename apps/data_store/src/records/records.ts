import { createAdmission } from './admission.ts'
import type { Backends } from '../backend.ts'
import { createBulkWrites } from './bulk-writes.ts'
import type { BulkLimits, BulkWrites } from './bulk-writes.ts'
import type { Collections } from '../collections/collections.ts'
import type { Idempotency } from './idempotency.ts'
import type { Journal } from '../audit/journal.ts'
import { createRecordReads } from './reads.ts'
import type { PageLimits, RecordReads } from './reads.ts'
import { createRecordWrites } from './writes.ts'
import type { RecordWrites } from './writes.ts'

/** Everything that can be done with records, wherever they are kept. */
export interface Records extends RecordReads, RecordWrites, BulkWrites {}

interface RecordsOptions {
  backends: Backends
  collections: Collections
  journal: Journal
  idempotency: Idempotency
  limits: BulkLimits & PageLimits
}

/**
 * Each operation in this order: is there such a place, may they, was it done before, is what they give right; then the backend
 * does it, and the journal says so.
 */
export function createRecords({ backends, collections, ...options }: RecordsOptions): Records {
  const admission = createAdmission({ backends, collections, journal: options.journal })
  return {
    ...createRecordReads({ admission, ...options }),
    ...createRecordWrites({ admission, ...options }),
    ...createBulkWrites({ admission, ...options }),
  }
}
