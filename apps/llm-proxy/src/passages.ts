import { Problem } from '@waybill/service-kit'
import { sectionsOf } from './markdown.ts'
import { paragraphsOf, sentencesOf, standsAlone } from './text/sentences.ts'
import { DEFAULT_ENCODING } from './tokens/encodings.ts'
import type { Tokenizer } from './tokens/tokenizer.ts'

/** A part of a document that is embedded, found and quoted as one. */
export interface Passage {
  /** Counted from 0. */
  position: number
  text: string
  tokens: number
}

export interface PassageLimits {
  /** A passage is filled up to this many tokens, beside the headings above it. */
  passageTokens: number
  maxPassages: number
}

/** The smallest thing that is kept whole. */
interface Part {
  text: string
  tokens: number
  /** What stands between it and the part before. */
  joint: '\n\n' | '\n' | ' '
}

const JOINT_TOKENS = 1

/**
 * Returns the passages of a document in order: cut at the headings of its Markdown, filled paragraph by paragraph up to
 * `passageTokens`; a longer paragraph is cut between sentences, a longer sentence between words. Each begins with the
 * headings above it, so that it can be understood, and found, by itself.
 * @throws Problem payload_too_large when there are more than `maxPassages`
 */
export async function cutIntoPassages(
  document: { text: string; markdown?: string | undefined },
  limits: PassageLimits,
  tokenizer: Tokenizer,
  signal?: AbortSignal,
): Promise<Passage[]> {
  const { text, markdown } = document
  const sections = markdown === undefined ? [{ headings: [], text }] : sectionsOf(markdown)
  const passages: Passage[] = []
  for (const section of sections) {
    const title = section.headings.length === 0 ? '' : `# ${section.headings.join(' › ')}\n\n`
    for await (const body of fill(
      partsOf(section.text, limits.passageTokens, tokenizer, signal),
      limits.passageTokens,
    )) {
      if (!/[\p{L}\p{N}]/u.test(body)) continue
      if (passages.length === limits.maxPassages) throw tooMany(limits.maxPassages)
      const tokens = await tokenizer.count(title + body, DEFAULT_ENCODING, signal)
      passages.push({ position: passages.length, text: title + body, tokens })
    }
  }
  return passages
}

/** Joins parts as long as the next one fits. */
async function* fill(parts: AsyncIterable<Part>, budget: number): AsyncGenerator<string> {
  let open = ''
  let used = 0
  for await (const { text, tokens, joint } of parts) {
    if (open !== '' && used + JOINT_TOKENS + tokens > budget) {
      yield open
      open = ''
      used = 0
    }
    open += (open === '' ? '' : joint) + text
    used += tokens + JOINT_TOKENS
  }
  if (open !== '') yield open
}

/** Paragraphs where they fit; else their sentences; else as many whole words as fit. */
async function* partsOf(
  text: string,
  budget: number,
  tokenizer: Tokenizer,
  signal?: AbortSignal,
): AsyncGenerator<Part> {
  for (const paragraph of paragraphsOf(text)) {
    const tokens = await tokenizer.count(paragraph, DEFAULT_ENCODING, signal)
    if (tokens <= budget) {
      yield { text: paragraph, tokens, joint: '\n\n' }
      continue
    }
    for (const sentence of sentencesOf(paragraph)) {
      const joint = standsAlone(sentence) ? '\n' : ' '
      for await (const slice of tokenizer.slices(sentence, budget, DEFAULT_ENCODING, signal)) {
        yield { text: slice.text.trim(), tokens: slice.tokens, joint }
      }
    }
  }
}

function tooMany(limit: number): Problem {
  return new Problem(
    'payload_too_large',
    `The document has more than ${String(limit)} passages, the most that are kept of one (MAX_PASSAGES).`,
  )
}
