export interface BatchLimits {
  maxItems: number
  /** Of the items as JSON, with what stands between them. */
  maxBytes: number
}

/** `items` in their order, as few to a batch as the limits demand. An item that is too large by itself is a batch by itself. */
export function* batchesOf<T>(items: readonly T[], { maxItems, maxBytes }: BatchLimits): Generator<T[]> {
  let batch: T[] = []
  let used = 0
  for (const item of items) {
    const bytes = Buffer.byteLength(JSON.stringify(item)) + 1
    if (batch.length === maxItems || (batch.length > 0 && used + bytes > maxBytes)) {
      yield batch
      batch = []
      used = 0
    }
    batch.push(item)
    used += bytes
  }
  if (batch.length > 0) yield batch
}
