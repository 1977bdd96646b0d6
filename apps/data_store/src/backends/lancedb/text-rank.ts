const MARKS = /\p{M}/gu
const WORDS = /[\p{L}\p{N}]+/gu

/** The sum of 1/n² over all n, so that no word counts more than `WEIGHT`. */
const SERIES = Math.PI ** 2 / 6
/** That of ts_rank for a word without a label: one word has the same score in Postgres. */
const WEIGHT = 0.1

/** The words of a text, without case and accents, as the index takes them. */
export function wordsIn(text: string): string[] {
  const plain = text.toLowerCase().normalize('NFKD').replace(MARKS, '').replaceAll('ß', 'ss')
  return plain.match(WORDS) ?? []
}

/**
 * How well `text` fits the words, by how often it has each of them, the second time counting less than the first. It looks at this one
 * text and at nothing else: how rare a word is, which ranks commonly weigh, would be told by what others have written.
 */
export function rankOf(text: string, words: ReadonlySet<string>): number {
  const counts = new Map<string, number>()
  for (const word of wordsIn(text)) if (words.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1)
  let score = 0
  for (const count of counts.values()) {
    for (let n = 1; n <= count; n += 1) score += 1 / n ** 2
  }
  return words.size === 0 ? 0 : (WEIGHT * score) / SERIES / words.size
}
