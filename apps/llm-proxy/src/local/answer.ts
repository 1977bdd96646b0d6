import { coverageOf, readQuestion, relevanceOf } from './relevance.ts'
import { sentencesOf } from '../text/sentences.ts'

/** A passage shorter than this is the answer as a whole. */
const SHORT_PASSAGE = 2

/** A neighbour of the best sentence belongs to the answer when it says at least this share of what the best one says. */
const ALSO = 0.6

/** What a sentence with a number gains when the question asks how much, how many or when. */
const NUMBER = 0.15
const ASKS_FOR_NUMBER =
  /\b(?:how (?:much|many|long|old|far|large|big|heavy)|when|what (?:time|date|amount|price|number|value))\b/i

export interface Ranked<T> {
  item: T
  /** 0 to 1. */
  score: number
}

/**
 * Returns the items whose text speaks of what is asked, the best first; `similarityOf` (0 to 1, such as the cosine of two
 * embeddings) decides between texts that share as many words with the question.
 */
export function rankByRelevance<T>(
  question: string,
  items: readonly T[],
  textOf: (item: T) => string,
  similarityOf: (item: T) => number,
): Ranked<T>[] {
  const asked = readQuestion(question)
  return items
    .map((item) => ({ item, relevance: relevanceOf(textOf(item), asked) }))
    .filter(({ relevance }) => relevance > 0)
    .map(({ item, relevance }) => ({ item, score: 0.7 * relevance + 0.3 * clamp(similarityOf(item)) }))
    .sort((one, other) => other.score - one.score)
}

/**
 * Returns the sentence of `passage` that says most of what `question` asks, with the sentence before or after it when that
 * says nearly as much. The words are the passage's own.
 */
export function extractAnswer(question: string, passage: string): string {
  const sentences = sentencesOf(passage)
  if (sentences.length <= SHORT_PASSAGE) return sentences.join(' ') || passage.trim()
  const asked = readQuestion(question)
  const wantsNumber = ASKS_FOR_NUMBER.test(question)
  const scores = sentences.map((sentence) => {
    if (/^#{1,6}\s/.test(sentence)) return 0
    return coverageOf(sentence, asked).share + (wantsNumber && /\p{N}/u.test(sentence) ? NUMBER : 0)
  })
  const highest = Math.max(...scores)
  const best = scores.indexOf(highest)
  const belongs = (index: number) => index === best || (scores[index] ?? 0) >= highest * ALSO
  const first = belongs(best - 1) ? best - 1 : best
  const last = belongs(best + 1) ? best + 1 : best
  return sentences.slice(first, last + 1).join(' ')
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value))
}
