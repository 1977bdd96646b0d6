import type { ConversionFailure } from './conversion-error.ts'
import type { Converted } from './convert.ts'

/** What the parent sends to a worker. `maxChars` bounds the Markdown that comes back. */
export interface Job {
  name: string
  bytes: Uint8Array
  maxChars: number
}

/** What a worker sends back, once per job. */
export type Outcome =
  { ok: true; converted: Converted } | { ok: false; failure: ConversionFailure; message: string }
