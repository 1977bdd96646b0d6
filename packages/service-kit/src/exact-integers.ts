import { Problem } from './problem.ts'

/** Every integer of fewer digits is kept to the last one. */
const MANY_DIGITS = /\d{16}/
const INTEGER = /^-?\d+$/

/**
 * Refuses JSON with an integer of which a double does not keep every digit (RFC 8259 section 6): to lose some is to keep another
 * number. `body` is UTF-8, and JSON.
 * @throws Problem `unprocessable` naming the member or the place in its array
 */
export function refuseInexactIntegers(body: Buffer): void {
  // Only a body that may hold one is read a second time.
  if (!MANY_DIGITS.test(body.toString('latin1'))) return
  const look = (name: string, value: unknown, context?: { source?: string }): unknown => {
    const source = typeof value === 'number' ? (context?.source ?? '') : ''
    if (INTEGER.test(source) && !isExact(source, Number(source))) {
      const number = source.length > 40 ? `${source.slice(0, 40)}...` : source
      const detail = `The number ${number} (${name.slice(0, 64)}) has more digits than are kept; send it as a text.`
      throw new Problem('unprocessable', detail)
    }
    return value
  }
  // Without the byte order mark that there may be.
  JSON.parse(new TextDecoder().decode(body), look)
}

function isExact(source: string, value: number): boolean {
  return Number.isFinite(value) && BigInt(source) === BigInt(value)
}
