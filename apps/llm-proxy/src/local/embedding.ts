import { termsOf } from '../text/words.ts'

/** How much each kind of feature weighs beside a term of its own. */
const PAIR_WEIGHT = 0.5
const FRAGMENT_WEIGHT = 0.25
const FRAGMENT_LENGTHS = [3, 4] as const

/**
 * Returns a vector of `dimensions` numbers and length 1 for `text`: its terms, pairs of neighbouring terms and fragments of
 * terms are hashed to a dimension and a sign, after Weinberger et al., "Feature Hashing for Large Scale Multitask Learning"
 * (2009). The same text always gives the same vector. It knows spelling, not meaning: two texts are near when they share
 * words or parts of words.
 */
export function hashEmbedding(text: string, dimensions: number): number[] {
  const vector = new Float64Array(dimensions)
  for (const [feature, weight] of featuresOf(text)) {
    const hash = hashOf(feature)
    const at = (hash >>> 1) % dimensions
    vector[at] = (vector[at] ?? 0) + (hash & 1 ? weight : -weight)
  }
  const norm = Math.hypot(...vector)
  // Two features of opposite sign in one dimension may leave nothing over; the text itself always gives something.
  if (norm === 0) vector[(hashOf(text) >>> 1) % dimensions] = 1
  return Array.from(vector, (value) => Math.fround(norm === 0 ? value : value / norm))
}

/** Returns the cosine of the angle between two vectors of length 1: 1 for the same direction, 0 for unrelated ones. */
export function cosine(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0)
}

function featuresOf(text: string): Map<string, number> {
  const found = new Map<string, { count: number; weight: number }>()
  const add = (feature: string, weight: number) => {
    const known = found.get(feature)
    if (known) known.count++
    else found.set(feature, { count: 1, weight })
  }
  const terms = termsOf(text)
  terms.forEach((term, index) => {
    add(`w ${term}`, 1)
    const next = terms[index + 1]
    if (next !== undefined) add(`p ${term} ${next}`, PAIR_WEIGHT)
    for (const fragment of fragmentsOf(`^${term}$`)) add(`f ${fragment}`, FRAGMENT_WEIGHT)
  })
  if (terms.length === 0) for (const fragment of fragmentsOf(text)) add(`f ${fragment}`, FRAGMENT_WEIGHT)
  // A word said ten times is not ten times as important.
  return new Map([...found].map(([feature, { count, weight }]) => [feature, weight * (1 + Math.log(count))]))
}

function* fragmentsOf(term: string): Generator<string> {
  for (const length of FRAGMENT_LENGTHS) {
    for (let start = 0; start + length <= term.length; start++) yield term.slice(start, start + length)
  }
}

/** FNV-1a over UTF-16 units, finished as MurmurHash3 finishes: the low bits, which choose the sign, are then as good as any. */
function hashOf(feature: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < feature.length; index++) {
    hash = Math.imul(hash ^ feature.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
