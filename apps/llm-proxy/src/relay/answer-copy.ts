import { CollectedBytes } from '../collected-bytes.ts'

/** A copy of an answer that goes on as it comes. */
export interface AnswerCopy {
  /** How much has come, in bytes. */
  readonly length: number
  add(chunk: Buffer): void
  /** Undefined when it has more than the limit. */
  whole(): Buffer | undefined
  /** The beginning of it: HEAD_BYTES, or all. */
  head(): Buffer
  /** The end of it: TAIL_BYTES at least, or all. */
  tail(): Buffer
}

/** Which model answers stands before what it wrote. */
const HEAD_BYTES = 4 * 1024

/** Usage stands behind all that a model wrote. */
const TAIL_BYTES = 64 * 1024

/** Of an answer that has more than `limit` bytes only its ends are kept; of one that shall not be kept (0), nothing. */
export function createCopy(limit: number): AnswerCopy {
  const kept = new CollectedBytes()
  let head: Buffer | undefined
  let before: Buffer = Buffer.alloc(0)
  let length = 0
  return {
    get length() {
      return length
    },
    add(chunk) {
      length += chunk.length
      if (limit === 0) return
      if (length > limit && kept.length >= TAIL_BYTES) {
        const all = kept.whole()
        head ??= Buffer.from(all.subarray(0, HEAD_BYTES))
        before = Buffer.from(all.subarray(-TAIL_BYTES))
        kept.clear()
      }
      kept.add(chunk)
    },
    whole: () => (length <= limit ? kept.whole() : undefined),
    head: () => head ?? kept.whole().subarray(0, HEAD_BYTES),
    tail: () => Buffer.concat([before, kept.whole()]),
  }
}
