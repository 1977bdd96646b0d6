/** A byte string: one character per byte, as `latin1` and `atob` write them. It is what the vocabulary is keyed by. */
type Bytes = string

/** The rank of every token: the lower, the earlier it is merged; it is also the token's id. */
export type Vocabulary = ReadonlyMap<Bytes, number>

/**
 * Returns the vocabulary of a tiktoken rank table as js-tiktoken ships it: lines of `! <first rank> <base64> <base64> ...`.
 */
export function readVocabulary(table: string): Vocabulary {
  const vocabulary = new Map<Bytes, number>()
  for (const line of table.split('\n')) {
    const [, first, ...tokens] = line.split(' ')
    if (first === undefined) continue
    let rank = Number.parseInt(first, 10)
    for (const token of tokens) vocabulary.set(atob(token), rank++)
  }
  return vocabulary
}

/**
 * Splits one piece of text into the bytes of its tokens: again and again the adjacent pair of lowest rank is merged, the
 * leftmost first. The pairs wait in a heap, so a piece of n bytes costs n log n; js-tiktoken's own loop costs n³ and takes
 * fifteen seconds over four thousand ideographs, which no service can afford on text that callers send.
 */
export function splitIntoTokens(piece: Bytes, vocabulary: Vocabulary): Bytes[] {
  if (vocabulary.has(piece)) return [piece]
  const length = piece.length
  const end = new Int32Array(length).map((_, start) => start + 1)
  const before = new Int32Array(length + 1).map((_, start) => start - 1)
  const pairRank = new Int32Array(length).fill(-1)
  const waiting = new MinHeap()

  const consider = (start: number) => {
    const middle = end[start] ?? length
    const rank = middle < length ? vocabulary.get(piece.slice(start, end[middle])) : undefined
    pairRank[start] = rank ?? -1
    if (rank !== undefined) waiting.push(rank * START + start)
  }
  for (let start = 0; start < length - 1; start++) consider(start)

  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    const start = key % START
    // One of the pair's halves has been merged with another neighbour since.
    if (pairRank[start] !== (key - start) / START) continue
    const middle = end[start] ?? length
    const after = end[middle] ?? length
    end[start] = after
    before[after] = start
    pairRank[middle] = -1
    consider(start)
    const previous = before[start] ?? -1
    if (previous >= 0) consider(previous)
  }

  const tokens: Bytes[] = []
  for (let start = 0; start < length; start = end[start] ?? length)
    tokens.push(piece.slice(start, end[start]))
  return tokens
}

/** Rank and start share one number, `rank * START + start`, so that the heap orders by rank, then by position. */
const START = 2 ** 32

class MinHeap {
  readonly #keys: number[] = []

  push(key: number): void {
    const keys = this.#keys
    let at = keys.push(key) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = keys[parent] ?? 0
      if (above <= key) break
      keys[at] = above
      at = parent
    }
    keys[at] = key
  }

  pop(): number | undefined {
    const keys = this.#keys
    const lowest = keys[0]
    const last = keys.pop()
    if (keys.length === 0 || last === undefined) return lowest
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= keys.length) break
      if (child + 1 < keys.length && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child++
      const below = keys[child] ?? 0
      if (below >= last) break
      keys[at] = below
      at = child
    }
    keys[at] = last
    return lowest
  }
}
