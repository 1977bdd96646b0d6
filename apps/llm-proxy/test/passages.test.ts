import { describe, expect, it } from 'vitest'
import { sectionsOf } from '../src/markdown.ts'
import { cutIntoPassages } from '../src/passages.ts'
import { createTokenizer } from '../src/tokens/tokenizer.ts'

const tokenizer = createTokenizer()
const LIMITS = { passageTokens: 40, maxPassages: 50 }
const cut = (document: { text: string; markdown?: string }, limits = LIMITS) =>
  cutIntoPassages(document, limits, tokenizer)

describe('passages', () => {
  it('are cut at headings and begin with those above them', async () => {
    const markdown =
      '# Waybill\n\nTwelve crates.\n\n## Insurance ##\n\nInsured for 48,000 euros.\n\n# Annex\n\nNothing.'
    const passages = await cut({ text: 'unused', markdown })
    expect(passages.map(({ text }) => text)).toEqual([
      '# Waybill\n\nTwelve crates.',
      '# Waybill › Insurance\n\nInsured for 48,000 euros.',
      '# Annex\n\nNothing.',
    ])
    expect(passages.map(({ position }) => position)).toEqual([0, 1, 2])
  })

  it('hold as many paragraphs as the budget of tokens allows, and say how many tokens they have', async () => {
    const paragraph = 'The consignee signs for the goods on delivery.'
    const passages = await cut({ text: Array.from({ length: 12 }, () => paragraph).join('\n\n') })
    expect(passages.length).toBeGreaterThan(2)
    for (const { text, tokens } of passages) {
      expect(tokens).toBe(await tokenizer.count(text, 'o200k_base'))
      expect(tokens).toBeLessThanOrEqual(LIMITS.passageTokens)
      expect(text.split('\n\n').every((part) => part === paragraph)).toBe(true)
    }
  })

  it('of a long paragraph end between sentences, of a long sentence between words, of a long word anywhere', async () => {
    const [sentences, words, word] = await Promise.all([
      cut({ text: 'The goods travel by barge on the Danube. '.repeat(20) }),
      cut({ text: 'lenses and glass and '.repeat(60) }),
      cut({ text: 'x1'.repeat(400) }),
    ])
    expect(sentences.every(({ text }) => text.endsWith('Danube.'))).toBe(true)
    expect(words.every(({ text }) => /^(?:(?:lenses|and|glass)(?: |$))+$/.test(text))).toBe(true)
    expect(word.map(({ text }) => text.replaceAll(/\s/g, '')).join('')).toBe('x1'.repeat(400))
    for (const { tokens } of [...sentences, ...words, ...word]) expect(tokens).toBeLessThanOrEqual(40)
  })

  it('are not made of what has no letters or digits', async () => {
    expect(await cut({ text: '---\n\n***\n\n| | |' })).toEqual([])
  })

  it('are refused when there are too many, by the name of the limit', async () => {
    const text = 'The goods travel on. '.repeat(500)
    await expect(cut({ text }, { passageTokens: 16, maxPassages: 10 })).rejects.toMatchObject({
      code: 'payload_too_large',
      message: expect.stringContaining('MAX_PASSAGES') as string,
    })
  })
})

describe('sections', () => {
  it('do not begin at a # inside a fenced block (CommonMark 4.5)', () => {
    const markdown = '# Setup\n\n```sh\n# comment\n```\n\n~~~~\n# also\n~~~\n# still\n~~~~\n## Next\n\ntext'
    expect(sectionsOf(markdown).map(({ headings }) => headings)).toEqual([['Setup'], ['Setup', 'Next']])
  })

  it('keep a heading with nothing under it as text', () => {
    expect(sectionsOf('# Contact\n\n## Call +43 1 234\n\n## Write\n\nto us')).toEqual([
      { headings: ['Contact'], text: 'Call +43 1 234' },
      { headings: ['Contact', 'Write'], text: 'to us' },
    ])
    expect(sectionsOf('# Alone')).toEqual([{ headings: [], text: 'Alone' }])
  })

  it.each([
    `# ${' '.repeat(300_000)}x`,
    '#'.repeat(300_000),
    `# ${'# '.repeat(150_000)}`,
    '```\n'.repeat(75_000),
  ])('of a text made to be slow are found all the same', (markdown) => {
    expect(sectionsOf(markdown).length).toBeLessThan(4)
  })
})
