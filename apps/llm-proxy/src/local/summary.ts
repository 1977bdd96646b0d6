import { createPace } from '../text/pace.ts'
import { isProse, sentencesOf } from '../text/sentences.ts'
import { termsOf } from '../text/words.ts'

/** A sentence with fewer terms seldom says anything by itself. */
const FEWEST_TERMS = 3

/** What the first sentence gains over the last: texts tend to begin with their subject. */
const LEAD = 0.3

/** Choosing looks at every candidate again for each sentence chosen; of a long text, only this many are looked at. */
const SHORTLIST = 400

interface Sentence {
  text: string
  position: number
  terms: ReadonlySet<string>
}

/**
 * Returns the `maxSentences` sentences of `text` that best stand for the whole, in the order of the text. A sentence
 * scores the mean frequency of its terms in the text, a little more near the beginning; each one chosen lowers the weight
 * of the terms that it has covered, so that the next says something else (SumBasic, Nenkova and Vanderwende 2005).
 */
export async function bestSentences(
  text: string,
  maxSentences: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const all = sentencesOf(text)
  const prose = all.filter(isProse)
  const sentences = await readTerms(prose.length > 0 ? prose : all, signal)
  if (sentences.length <= maxSentences) return sentences.map((sentence) => sentence.text)
  const weights = frequencies(sentences)
  const scoreOf = (sentence: Sentence) => score(sentence, weights, sentences.length)
  const candidates = sentences
    .map((sentence) => ({ sentence, score: scoreOf(sentence) }))
    .sort((one, other) => other.score - one.score)
    .slice(0, Math.max(SHORTLIST, maxSentences))
    .map(({ sentence }) => sentence)
  const chosen: Sentence[] = []
  while (chosen.length < maxSentences) {
    const best = candidates.reduce((one, other) => (scoreOf(other) > scoreOf(one) ? other : one))
    candidates.splice(candidates.indexOf(best), 1)
    chosen.push(best)
    for (const term of best.terms) weights.set(term, (weights.get(term) ?? 0) ** 2)
  }
  return chosen.sort((one, other) => one.position - other.position).map((sentence) => sentence.text)
}

async function readTerms(texts: string[], signal?: AbortSignal): Promise<Sentence[]> {
  const pace = createPace(signal)
  const sentences: Sentence[] = []
  for (const [position, text] of texts.entries()) {
    if (pace.isDue(text.length)) await pace.pause()
    sentences.push({ text, position, terms: new Set(termsOf(text)) })
  }
  return sentences
}

/** The share of the sentences in which each term stands. */
function frequencies(sentences: readonly Sentence[]): Map<string, number> {
  const share = new Map<string, number>()
  for (const { terms } of sentences) {
    for (const term of terms) share.set(term, (share.get(term) ?? 0) + 1 / sentences.length)
  }
  return share
}

function score(sentence: Sentence, weights: ReadonlyMap<string, number>, sentences: number): number {
  const total = [...sentence.terms].reduce((sum, term) => sum + (weights.get(term) ?? 0), 0)
  const lead = 1 + LEAD * (1 - sentence.position / sentences)
  return (total / Math.max(sentence.terms.size, FEWEST_TERMS)) * lead
}
