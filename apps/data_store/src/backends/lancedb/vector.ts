import { Problem } from '@waybill/service-kit'

/** Beyond these the squares of 32-bit floats are no longer numbers, and similarity has no meaning. */
const LARGEST = 1e9
const SMALLEST_LENGTH = 1e-9

/**
 * `value` as a vector, or why it is none. `name` is how the message calls it.
 * @throws Problem `unprocessable`
 */
export function asVector(value: unknown, name: string, maxDimensions: number): number[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw wrong(`${name} must be an array of numbers, and not an empty one.`)
  }
  if (value.length > maxDimensions) {
    throw wrong(`${name} has ${String(value.length)} numbers; ${String(maxDimensions)} is the most.`)
  }
  const vector: number[] = []
  for (const [at, entry] of (value as unknown[]).entries()) {
    if (typeof entry !== 'number' || !Number.isFinite(entry) || Math.abs(entry) > LARGEST) {
      throw wrong(`${name}[${String(at)}] must be a number between -1e9 and 1e9.`)
    }
    vector.push(entry)
  }
  if (Math.sqrt(vector.reduce((sum, entry) => sum + entry * entry, 0)) < SMALLEST_LENGTH) {
    throw wrong(`${name} has no direction: its numbers are all 0, or as good as.`)
  }
  return vector
}

/** A 32-bit float with as few digits as tell it apart from its neighbours: 0.1 comes back as 0.1. */
export function shortest(float: number): number {
  for (let digits = 6; digits < 9; digits += 1) {
    const candidate = Number(float.toPrecision(digits))
    if (Math.fround(candidate) === float) return candidate
  }
  return float
}

function wrong(detail: string): Problem {
  return new Problem('unprocessable', detail)
}
