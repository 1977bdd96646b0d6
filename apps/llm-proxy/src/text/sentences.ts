/** An empty line ends a paragraph. */
const PARAGRAPH_END = /\n[^\S\n]*\n\s*/

/** A heading or a table row of Markdown: words, but not a sentence. */
const NO_SENTENCE = /^\s*(?:#{1,6}\s|\|)/

/** A heading, a list item, a table row or a quotation of Markdown stands for itself, whatever line follows. */
const OWN_LINE = /^\s*(?:#{1,6}\s|[-*+•]\s|\d{1,3}[.)]\s|\||>)/

/** A full stop behind one of these, or behind a single capital letter, does not end a sentence. */
const ABBREVIATION =
  /(?:^|[\s(])(?:\p{Lu}|dr|mr|mrs|ms|prof|no|nr|st|vs|approx|ca|fig|art|sec|e\.g|i\.e|z\.\s?b)\.\s*$/iu
const ABBREVIATION_LENGTH = 10

/** Returns the paragraphs of `text` in order, without the white space around them. */
export function paragraphsOf(text: string): string[] {
  return text
    .replace(/\r\n?/g, '\n')
    .split(PARAGRAPH_END)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '')
}

/**
 * Returns the sentences of `text` in order (UAX #29, and a few abbreviations that it does not know). Lines that were only
 * broken to fit a page are joined.
 */
export function sentencesOf(text: string): string[] {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })
  const sentences: string[] = []
  for (const line of paragraphsOf(text).flatMap(unbrokenLines)) {
    let open = ''
    for (const { segment } of segmenter.segment(line)) {
      open += segment
      if (ABBREVIATION.test(segment.slice(-ABBREVIATION_LENGTH))) continue
      sentences.push(open.trim())
      open = ''
    }
    if (open.trim() !== '') sentences.push(open.trim())
  }
  return sentences.filter((sentence) => /[\p{L}\p{N}]/u.test(sentence))
}

/** Says whether `sentence` is one, and not a heading or a row of a table. */
export function isProse(sentence: string): boolean {
  return !NO_SENTENCE.test(sentence)
}

/** Says whether `sentence` begins a line of its own: a heading, a list item, a table row, a quotation. */
export function standsAlone(sentence: string): boolean {
  return OWN_LINE.test(sentence)
}

function unbrokenLines(paragraph: string): string[] {
  // Joined at the end: a line of many pieces that is joined piece by piece is copied as often.
  const lines: string[][] = []
  for (const line of paragraph.split('\n')) {
    const open = lines.at(-1)
    const begin = open?.[0]
    if (open === undefined || begin === undefined || OWN_LINE.test(line) || NO_SENTENCE.test(begin)) {
      lines.push([line.trim()])
    } else open.push(line.trim())
  }
  return lines.map((pieces) => pieces.join(' '))
}
