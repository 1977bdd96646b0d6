import { createPace } from '../text/pace.ts'
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
export async function rankByRelevance<T>(
  question: string,
  items: readonly T[],
  textOf: (item: T) => string,
  similarityOf: (item: T) => number,
  signal?: AbortSignal,
): Promise<Ranked<T>[]> {
  const asked = readQuestion(question)
  const pace = createPace(signal)
  const ranked: Ranked<T>[] = []
  for (const item of items) {
    const text = textOf(item)
    if (pace.isDue(text.length)) await pace.pause()
    const relevance = relevanceOf(text, asked)
    if (relevance > 0) ranked.push({ item, score: 0.7 * relevance + 0.3 * clamp(similarityOf(item)) })
  }
  return ranked.sort((one, other) => other.score - one.score)
}

/**
 * Returns the sentence of `passage` that says most of what `question` asks, with the sentence before or after it when that
 * says nearly as much. The words are the passage's own.
 */
export async function extractAnswer(
  question: string,
  passage: string,
  signal?: AbortSignal,
): Promise<string> {
  const sentences = sentencesOf(passage)
  if (sentences.length <= SHORT_PASSAGE) return sentences.join(' ') || passage.trim()
  const asked = readQuestion(question)
  const wantsNumber = ASKS_FOR_NUMBER.test(question)
  const scoreOf = (sentence: string) => {
    if (/^#{1,6}\s/.test(sentence)) return 0
    return coverageOf(sentence, asked).share + (wantsNumber && /\p{N}/u.test(sentence) ? NUMBER : 0)
  }
  const pace = createPace(signal)
  const scores: number[] = []
  let highest = 0
  for (const sentence of sentences) {
    if (pace.isDue(sentence.length)) await pace.pause()
    const score = scoreOf(sentence)
    highest = Math.max(highest, score)
    scores.push(score)
  }
  const best = scores.indexOf(highest)
  const belongs = (index: number) => index === best || (scores[index] ?? 0) >= highest * ALSO
  const first = belongs(best - 1) ? best - 1 : best
  const last = belongs(best + 1) ? best + 1 : best
  return sentences.slice(first, last + 1).join(' ')
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value))
}
