import { describe, expect, it, vi } from 'vitest'
import { extractAnswer, rankByRelevance } from '../src/local/answer.ts'
import { NOTHING_FOUND, replyTo } from '../src/local/conversation.ts'
import { cosine, hashEmbedding } from '../src/local/embedding.ts'
import { coverageOf, readQuestion } from '../src/local/relevance.ts'
import { bestSentences } from '../src/local/summary.ts'
import { sentencesOf } from '../src/text/sentences.ts'
import { termsOf } from '../src/text/words.ts'

const PASSAGES = [
  'This waybill travels with twelve crates of optical lenses. The consignor is Maas Optics B.V. of Rotterdam, and the consignee is Donau Glas GmbH in Vienna. Mr. Smit signs for the consignor.',
  'The goods are insured for 48,000 euros against loss and damage. The insurer is Noord Marine. Claims must be made within seven days of delivery.',
  'Keep the crates dry. Do not stack more than three. The temperature stays between 5 and 25 degrees.',
  'Die Ware ist bis zur Übergabe versichert. Der Versicherungswert beträgt 48.000 Euro.',
  '货物的保险金额为四万八千欧元。收货人在维也纳。',
]

describe('embeddings', () => {
  const embed = (text: string) => hashEmbedding(text, 256)

  it('are the same for the same text, and of length 1', () => {
    for (const text of [...PASSAGES, '!', '  ', 'the of and', 'a']) {
      expect(embed(text)).toEqual(embed(text))
      expect(Math.hypot(...embed(text))).toBeCloseTo(1, 5)
    }
  })

  it('keep their values from one release to the next: stored vectors must stay comparable', () => {
    const largest = embed('waybill')
      .map((value, index) => ({ index, value: Number(value.toFixed(4)) }))
      .sort((one, other) => Math.abs(other.value) - Math.abs(one.value))
    expect(largest.slice(0, 2)).toMatchInlineSnapshot(`
      [
        {
          "index": 39,
          "value": -0.7428,
        },
        {
          "index": 26,
          "value": -0.1857,
        },
      ]
    `)
  })

  it.each([
    ['Who is the consignee of the lenses?', 0],
    ['For how much are the goods insured?', 1],
    ['At which temperature are the crates kept dry?', 2],
    ['Wie hoch ist der Versicherungswert der Ware?', 3],
    ['保险金额是多少？', 4],
  ])('are nearest for the passage that speaks of it: %s', (question, expected) => {
    const nearness = PASSAGES.map((passage) => cosine(embed(question), embed(passage)))
    expect(nearness.indexOf(Math.max(...nearness))).toBe(expected)
  })

  it('of unrelated texts are nearly at a right angle', () => {
    const nearness = cosine(embed('How do volcanoes erupt beneath glaciers?'), embed(PASSAGES[1]!))
    expect(Math.abs(nearness)).toBeLessThan(0.2)
  })

  it('have as many dimensions as are asked for', () => {
    expect(hashEmbedding('waybill', 64)).toHaveLength(64)
  })
})

describe('answers', () => {
  const answer = async (question: string) => {
    const similarity = (passage: string) => cosine(hashEmbedding(question, 256), hashEmbedding(passage, 256))
    const [best] = await rankByRelevance(question, PASSAGES, (passage) => passage, similarity)
    return best && (await extractAnswer(question, best.item))
  }

  it.each([
    ['Who is the consignee?', 'Donau Glas GmbH'],
    ['How much are the goods insured for?', '48,000 euros'],
    ['What is the insurance value of the goods?', '48,000 euros'],
    ['When must claims be made?', 'within seven days'],
    ['Who signed for the consignor?', 'Mr. Smit'],
    ['Wie hoch ist der Versicherungswert?', '48.000 Euro'],
    ['保险金额是多少？', '四万八千欧元'],
  ])('are the sentence that says it: %s', async (question, expected) => {
    expect(await answer(question)).toContain(expected)
  })

  it.each([
    'How do volcanoes erupt?',
    'What is the capital of France?',
    'Who won the football match in Rotterdam last week?',
    'Which crates hold the bananas, mangoes and papayas?',
    'Where do the penguins of the zoo sleep?',
    'Wer hat das Fußballspiel gewonnen?',
    'What is it?',
    '???',
    'the',
  ])('are not taken from passages that do not speak of it: %s', async (question) => {
    expect(await answer(question)).toBeUndefined()
  })
})

describe('a question', () => {
  const coverage = (question: string, text: string) => coverageOf(text, readQuestion(question))

  it.each([
    ['insured', 'insurance'],
    ['wagon', 'wagonload'],
  ])('is met in part by a term that begins like it, whichever is longer: %s, %s', (asked, text) => {
    expect(coverage(asked, asked)).toEqual({ share: 1, matches: 1 })
    for (const kindred of [coverage(asked, text), coverage(text, asked)]) {
      expect(kindred).toEqual({ share: expect.closeTo(0.7, 5), matches: 1 })
    }
  })

  it.each([
    ['crat', 'crato'],
    ['crato', 'cratolization'],
    ['wagon', 'wagging'],
  ])('is not met by a term that is too short or too different: %s, %s', (asked, text) => {
    expect(coverage(asked, text).matches).toBe(0)
    expect(coverage(text, asked).matches).toBe(0)
  })

  it('has 64 terms at most, the first ones', () => {
    const { terms, longer } = readQuestion(wordsFrom(0, 5_000))
    expect([...terms.keys()]).toEqual(wordsFrom(0, 64).split(' '))
    expect(longer.size).toBeLessThanOrEqual(4 * 64)
  })

  it('however long it is, costs a few look-ups per term of the text', () => {
    const question = readQuestion(wordsFrom(0, 5_000))
    const lookUp = vi.spyOn(question.terms as Map<string, number>, 'has')
    coverageOf(wordsFrom(5_000, 1_000), question)
    expect(lookUp.mock.calls.length).toBeLessThanOrEqual(4 * 1_000)
  })

  it('leaves room for others while texts are compared with it, and stops when it is no longer wanted', async () => {
    const text = wordsFrom(5_000, 5_000)
    const sentences = text.replaceAll(' ', '! ')
    const question = wordsFrom(5_000, 5_000)
    const rank = (signal?: AbortSignal) =>
      rankByRelevance(
        question,
        text.split(' '),
        (word) => word,
        () => 0,
        signal,
      )
    expect(await turnsDuring(() => rank())).toBeGreaterThan(2)
    expect(await turnsDuring(() => extractAnswer(question, sentences))).toBeGreaterThan(2)
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(rank(gone)).rejects.toThrow('gone')
    await expect(extractAnswer(question, sentences, gone)).rejects.toThrow('gone')
  })
})

/** `count` words that are all different terms. */
function wordsFrom(start: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `w${String(100_000 + start + index)}`).join(' ')
}

/** How often the event loop went round before `work` was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  const turn = () => {
    turns++
    pending = setImmediate(turn)
  }
  let pending = setImmediate(turn)
  await work()
  clearImmediate(pending)
  return turns
}

describe('summaries', () => {
  const TEXT = PASSAGES.slice(0, 3).join('\n\n')

  it('are sentences of the text, in its order, no more than asked for', async () => {
    const sentences = await bestSentences(TEXT, 3)
    expect(sentences).toHaveLength(3)
    const positions = sentences.map((sentence) => TEXT.indexOf(sentence))
    expect(positions.every((position) => position >= 0)).toBe(true)
    expect(positions).toEqual(positions.toSorted((one, other) => one - other))
    expect(sentences[0]).toBe('This waybill travels with twelve crates of optical lenses.')
  })

  it('of a text that is short enough are the text', async () => {
    expect(await bestSentences('One sentence. And another.', 3)).toEqual(['One sentence.', 'And another.'])
  })

  it('leave headings and tables out', async () => {
    const text = `# Waybill 2026-117\n\n${TEXT}\n\n| crate | weight |\n|---|---|\n| 1 | 20 kg |`
    expect((await bestSentences(text, 8)).join(' ')).not.toMatch(/[#|]/)
  })

  it('stop when they are no longer wanted', async () => {
    const summary = bestSentences(
      'The goods travel on. '.repeat(50_000),
      3,
      AbortSignal.abort(new Error('gone')),
    )
    await expect(summary).rejects.toThrow('gone')
  })
})

describe('replies', () => {
  it('answer the last question from what the conversation holds', async () => {
    const turns = [
      { role: 'system', content: PASSAGES.join('\n\n') },
      { role: 'user', content: 'Hello! For how much are the goods insured?' },
    ]
    expect(await replyTo(turns)).toContain('48,000 euros')
  })

  it('take the question from the same turn as the text', async () => {
    const content = `${PASSAGES[1]!}\n\nWho is the\ninsurer?`
    expect(await replyTo([{ role: 'user', content }])).toContain('Noord Marine')
  })

  it('say so when nothing answers it, and never take the question for its answer', async () => {
    const question = { role: 'user', content: 'What is the capital of France?' }
    expect(await replyTo([question])).toBe(NOTHING_FOUND)
    expect(await replyTo([question, { role: 'assistant', content: 'Paris?' }, question])).toBe(NOTHING_FOUND)
  })

  it('summarize when nothing is asked', async () => {
    const reply = await replyTo([{ role: 'user', content: PASSAGES.slice(0, 3).join('\n\n') }])
    expect(sentencesOf(reply)).toHaveLength(3)
  })
})

describe('sentences', () => {
  it('do not end at an abbreviation or an initial', () => {
    expect(sentencesOf('Mr. J. Smit signs. It costs approx. 5 euros.')).toEqual([
      'Mr. J. Smit signs.',
      'It costs approx. 5 euros.',
    ])
  })

  it('go on over a line that was broken to fit the page, but not over a list item', () => {
    expect(sentencesOf('The goods are\ninsured.\n- Keep dry\n- Keep cool')).toEqual([
      'The goods are insured.',
      '- Keep dry',
      '- Keep cool',
    ])
  })

  it('are found without end in a text of abbreviations', () => {
    expect(sentencesOf('A. '.repeat(50_000))).toHaveLength(1)
  })
})

describe('terms', () => {
  it('are one for the forms of a word', () => {
    expect(new Set(termsOf('carry carries carried carrying'))).toEqual(new Set(['carry']))
    expect(new Set(termsOf('ship ships shipped shipping'))).toEqual(new Set(['ship']))
    expect(new Set(termsOf('insure insured insures insuring'))).toEqual(new Set(['insur']))
  })
})
