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

/** A question has no more terms than this; of a longer one, the first. */
const MOST_TERMS = 64

export interface Question {
  /** Its terms, each once, with what they weigh. */
  terms: ReadonlyMap<string, number>
  /** What all of its terms weigh together. */
  weight: number
  /** Its terms, by each of the shorter terms that count as their kindred. */
  longer: ReadonlyMap<string, readonly string[]>
}

/** Returns what `text` asks for. */
export function readQuestion(text: string): Question {
  const distinct = [...new Set(termsOf(text))].slice(0, MOST_TERMS)
  const terms = new Map(distinct.map((term) => [term, weightOf(term)]))
  const longer = new Map<string, string[]>()
  for (const term of distinct) {
    for (const beginning of beginningsOf(term))
      longer.set(beginning, [...(longer.get(beginning) ?? []), term])
  }
  return { terms, weight: distinct.reduce((sum, term) => sum + weightOf(term), 0), longer }
}

/**
 * Returns how much of the question `text` speaks of: 0 to 1, the weight of the terms that it shares with the question. It
 * is 0 when they share too little for the text to be an answer.
 */
export function relevanceOf(text: string, question: Question): number {
  const { share, matches } = coverageOf(text, question)
  return share >= (matches >= 2 ? RELEVANT : RELEVANT_ALONE) ? share : 0
}

/**
 * Returns the weighted share (0 to 1) and the number of the question's terms that `text` has. Each term of the text is looked
 * up in the question, so that the work grows with the text alone.
 */
export function coverageOf(text: string, question: Question): { share: number; matches: number } {
  const terms = new Set(termsOf(text))
  const kindred = new Set<string>()
  for (const term of terms) {
    for (const asked of question.longer.get(term) ?? []) kindred.add(asked)
    for (const beginning of beginningsOf(term)) if (question.terms.has(beginning)) kindred.add(beginning)
  }
  let matches = 0
  let found = 0
  for (const [term, weight] of question.terms) {
    const match = terms.has(term) ? 1 : kindred.has(term) ? KINDRED : 0
    if (match > 0) matches++
    found += weight * match
  }
  return { share: question.weight === 0 ? 0 : found / question.weight, matches }
}

function weightOf(term: string): number {
  return /\p{N}/u.test(term) ? 1 : Math.min(1, term.length / FULL_LENGTH)
}

/** The shorter terms that `term` begins with and that count as its kindred. */
function* beginningsOf(term: string): Generator<string> {
  const shortest = Math.max(KINDRED_LENGTH, term.length - KINDRED_ENDING)
  for (let length = shortest; length < term.length; length++) yield term.slice(0, length)
}
