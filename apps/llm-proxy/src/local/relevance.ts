import { termsOf } from '../text/words.ts'

/** From this share of the question's weight on, a text that has two of its terms is taken to speak of what is asked. */
const RELEVANT = 0.4

/** One term is enough when it is most of the question: a long one among short ones, as a rule. */
const RELEVANT_ALONE = 0.65

/** A term that only begins like the one asked for (`insured`, `insurance`) counts this much. */
const KINDRED = 0.7
const KINDRED_LENGTH = 5
const KINDRED_ENDING = 4

/** The longer a term, the rarer it tends to be, and the more it tells of a text that it stands in; up to this length. */
const FULL_LENGTH = 10

export interface Question {
  terms: readonly string[]
}

/** Returns what `text` asks for: its terms, each once. */
export function readQuestion(text: string): Question {
  return { terms: [...new Set(termsOf(text))] }
}

/**
 * Returns how much of the question `text` speaks of: 0 to 1, the weight of the terms that it shares with the question. It
 * is 0 when they share too little for the text to be an answer.
 */
export function relevanceOf(text: string, question: Question): number {
  const { share, matches } = coverageOf(text, question)
  return share >= (matches >= 2 ? RELEVANT : RELEVANT_ALONE) ? share : 0
}

/** Returns the weighted share (0 to 1) and the number of the question's terms that `text` has. */
export function coverageOf(text: string, question: Question): { share: number; matches: number } {
  const terms = new Set(termsOf(text))
  let matches = 0
  let found = 0
  let asked = 0
  for (const term of question.terms) {
    const weight = weightOf(term)
    asked += weight
    const match = terms.has(term) ? 1 : hasKindred(terms, term) ? KINDRED : 0
    if (match > 0) matches++
    found += weight * match
  }
  return { share: asked === 0 ? 0 : found / asked, matches }
}

function weightOf(term: string): number {
  return /\p{N}/u.test(term) ? 1 : Math.min(1, term.length / FULL_LENGTH)
}

function hasKindred(terms: ReadonlySet<string>, asked: string): boolean {
  if (asked.length < KINDRED_LENGTH) return false
  for (const term of terms) {
    const [short, long] = term.length < asked.length ? [term, asked] : [asked, term]
    if (
      short.length >= KINDRED_LENGTH &&
      long.length - short.length <= KINDRED_ENDING &&
      long.startsWith(short)
    )
      return true
  }
  return false
}
