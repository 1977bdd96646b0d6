import { extractAnswer, rankByRelevance } from './answer.ts'
import { cosine, hashEmbedding } from './embedding.ts'
import { createPace } from '../text/pace.ts'
import { paragraphsOf, sentencesOf } from '../text/sentences.ts'
import { bestSentences } from './summary.ts'

/** What the model says when the texts it was given do not speak of what is asked. */
export const NOTHING_FOUND = 'Nothing in the given text answers this.'

const SUMMARY_SENTENCES = 3
const DIMENSIONS = 256

/** Nearness only decides between paragraphs that share as many words: the beginning of a long one, in UTF-16 units, will do. */
const EMBEDDED = 8192

/** What finding the sentences of a paragraph costs beside its length, in UTF-16 units of text. */
const SEGMENTER = 100

interface Turn {
  role: string
  content: string
}

/**
 * Returns what can be taken from the conversation itself. The last question of the last user turn is answered from
 * everything else that was said by the system and the user; without a question, the last user turn is summarized. Nothing
 * is made up: every word of the output, except NOTHING_FOUND, stands in the input.
 */
export async function replyTo(turns: readonly Turn[], signal?: AbortSignal): Promise<string> {
  const last = turns.findLast((turn) => turn.role === 'user') ?? turns.at(-1)
  if (!last) return NOTHING_FOUND
  const question = sentencesOf(last.content).findLast((sentence) => /[?？؟]\s*$/.test(sentence))
  if (question === undefined) {
    const summary = await bestSentences(last.content, SUMMARY_SENTENCES, signal)
    return summary.length === 0 ? NOTHING_FOUND : summary.join(' ')
  }
  const given = turns.filter((turn) => turn.role !== 'assistant')
  const pace = createPace(signal)
  const paragraphs: string[] = []
  for (const paragraph of given.flatMap((turn) => paragraphsOf(turn.content))) {
    if (pace.isDue(paragraph.length + SEGMENTER)) await pace.pause()
    paragraphs.push(without(question, paragraph))
  }
  const best = await mostRelevant(question, paragraphs, signal)
  return best === undefined ? NOTHING_FOUND : extractAnswer(question, best, signal)
}

/** A question shares every word with itself; it must not be its own answer. */
function without(question: string, paragraph: string): string {
  const unbroken = paragraph.split('\n').map((line) => line.trim())
  if (!unbroken.join(' ').includes(question)) return paragraph
  const sentences = sentencesOf(paragraph)
  if (!sentences.includes(question)) return paragraph
  return sentences.filter((sentence) => sentence !== question).join('\n')
}

async function mostRelevant(
  question: string,
  paragraphs: string[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const embed = (text: string) => hashEmbedding(text.slice(0, EMBEDDED), DIMENSIONS)
  const asked = embed(question)
  const pace = createPace(signal)
  const similar = new Map<string, number>()
  for (const paragraph of paragraphs) {
    if (pace.isDue(Math.min(paragraph.length, EMBEDDED))) await pace.pause()
    similar.set(paragraph, cosine(asked, embed(paragraph)))
  }
  const ranked = await rankByRelevance(
    question,
    paragraphs,
    (paragraph) => paragraph,
    (paragraph) => similar.get(paragraph) ?? 0,
    signal,
  )
  return ranked[0]?.item
}
