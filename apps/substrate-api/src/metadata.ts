import { Problem } from '@waybill/service-kit'

export interface MetadataLimits {
  /** As compact JSON, in bytes. */
  maxBytes: number
  /** Levels of arrays and objects, `metadata` itself being the first. */
  maxDepth: number
}

/**
 * Makes sure that Postgres can keep `metadata` exactly as it is.
 * @throws Problem `validation_failed` or `payload_too_large`
 */
export function checkMetadata(metadata: Record<string, unknown>, limits: MetadataLimits): void {
  // With a list instead of recursion: the depth is the client's choice.
  const open: { value: unknown; depth: number }[] = [{ value: metadata, depth: 1 }]
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next
    if (typeof value === 'string') checkText(value)
    if (typeof value === 'number' && !Number.isFinite(value)) throw wrong('holds a number out of range')
    if (typeof value !== 'object' || value === null) continue
    if (depth > limits.maxDepth) throw wrong(`is nested more than ${limits.maxDepth} levels deep`)
    for (const [name, child] of Object.entries(value)) {
      checkText(name)
      open.push({ value: child, depth: depth + 1 })
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(metadata))
  if (bytes > limits.maxBytes) {
    const detail = `body.metadata is ${bytes} bytes; ${limits.maxBytes} is the most that a basket may have.`
    throw new Problem('payload_too_large', detail)
  }
}

function checkText(text: string): void {
  if (text.includes('\0')) throw wrong('holds a NUL character')
  if (!text.isWellFormed()) throw wrong('holds half of a surrogate pair')
}

function wrong(what: string): Problem {
  return new Problem('validation_failed', `body.metadata ${what}.`)
}
