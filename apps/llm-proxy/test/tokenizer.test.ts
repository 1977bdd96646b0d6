import { Tiktoken } from 'js-tiktoken/lite'
import cl100k from 'js-tiktoken/ranks/cl100k_base'
import o200k from 'js-tiktoken/ranks/o200k_base'
import { describe, expect, it } from 'vitest'
import { encodingOf } from '../src/tokens/encodings.ts'
import { createTokenizer } from '../src/tokens/tokenizer.ts'

const tokenizer = createTokenizer()

describe('token ids', () => {
  // The examples of OpenAI's cookbook, "How to count tokens with tiktoken".
  it.each([
    ['cl100k_base', 'tiktoken is great!', [83, 1609, 5963, 374, 2294, 0]],
    ['cl100k_base', 'antidisestablishmentarianism', [519, 85342, 34500, 479, 8997, 2191]],
    ['cl100k_base', '2 + 2 = 4', [17, 489, 220, 17, 284, 220, 19]],
    ['cl100k_base', 'お誕生日おめでとう', [33334, 45918, 243, 21990, 9080, 33334, 62004, 16556, 78699]],
    ['o200k_base', 'antidisestablishmentarianism', [493, 129901, 376, 160388, 21203, 2367]],
    ['o200k_base', '2 + 2 = 4', [17, 659, 220, 17, 314, 220, 19]],
    ['o200k_base', 'お誕生日おめでとう', [8930, 9697, 243, 128225, 8930, 17693, 4344, 48669]],
  ] as const)('are those that %s is published with: %s', async (encoding, text, ids) => {
    expect(await tokenizer.encode(text, encoding)).toEqual(ids)
    expect(await tokenizer.count(text, encoding)).toBe(ids.length)
  })

  it('agree with js-tiktoken on texts of every kind', async () => {
    const references = { o200k_base: new Tiktoken(o200k), cl100k_base: new Tiktoken(cl100k) }
    for (const encoding of ['o200k_base', 'cl100k_base'] as const) {
      for (const text of mixtures(600)) {
        expect(await tokenizer.encode(text, encoding), JSON.stringify(text)).toEqual(
          references[encoding].encode(text, [], []),
        )
      }
    }
  })

  it('of a special token are those of its letters: a text cannot end itself', async () => {
    const ids = await tokenizer.encode('<|endoftext|>', 'cl100k_base')
    expect(ids.length).toBeGreaterThan(1)
    expect(ids).not.toContain(100257)
  })
})

describe('a text made to be slow', () => {
  // js-tiktoken itself takes 15 s over 4,000 ideographs, so the 200,000 here would take years.
  it.each(['a', '漢字', ' ', '\n', '!', '🙂', 'a1', '\u0301'])(
    'is counted all the same: %j',
    async (part) => {
      const text = part.repeat(200_000 / part.length)
      expect(await tokenizer.count(text, 'o200k_base')).toBeGreaterThan(0)
    },
  )

  it('is counted right up to the length at which pieces are cut', async () => {
    // A run of n letters "a" is n / 8 tokens of "aaaaaaaa".
    expect(await tokenizer.count('a'.repeat(8000), 'o200k_base')).toBe(1000)
  })

  it('stops when it is no longer wanted, and leaves room for others meanwhile', async () => {
    const abort = new AbortController()
    const counting = tokenizer.count('漢字'.repeat(500_000), 'o200k_base', abort.signal)
    setImmediate(() => {
      abort.abort(new Error('gone'))
    })
    await expect(counting).rejects.toThrow('gone')
  })
})

describe('slices', () => {
  const slicesOf = async (text: string, max: number) => {
    const slices = []
    for await (const slice of tokenizer.slices(text, max, 'o200k_base')) slices.push(slice)
    return slices
  }

  it('together are the text, each within the limit, cut between words', async () => {
    const slices = await slicesOf('The consignee signs for twelve crates.', 3)
    expect(slices.map(({ text }) => text).join('')).toBe('The consignee signs for twelve crates.')
    expect(slices.every(({ tokens }) => tokens <= 3)).toBe(true)
    expect(slices.slice(1).every(({ text }) => /^[ .]/.test(text))).toBe(true)
  })

  it('never cut a character in two', async () => {
    for (const max of [1, 2, 3]) {
      const slices = await slicesOf('日本語🙂テスト👩‍👩‍👧ﷺ', max)
      expect(slices.map(({ text }) => text).join('')).toBe('日本語🙂テスト👩‍👩‍👧ﷺ')
      expect(slices.some(({ text }) => text.includes('\ufffd'))).toBe(false)
    }
  })
})

it('the encoding is looked up by the model, with or without the provider in front', () => {
  expect(encodingOf('gpt-4o-mini')).toBe('o200k_base')
  expect(encodingOf('openai/gpt-5-nano')).toBe('o200k_base')
  expect(encodingOf('gpt-4-turbo')).toBe('cl100k_base')
  expect(encodingOf('text-embedding-3-small')).toBe('cl100k_base')
  expect(encodingOf('claude-opus-5')).toBeUndefined()
})

/** Random texts, the same in every run. */
function* mixtures(count: number): Generator<string> {
  const parts = [
    'a',
    'ing',
    'the ',
    '漢',
    '字',
    'é',
    '\u0301',
    '🙂',
    '1',
    '234',
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\t',
    '!',
    '...',
  ]
  const rare = ["'s", 'ß', 'A', 'ZA', '<|endoftext|>', '\ud800', 'ﷺ', 'हिन्दी', 'ไทย', '\u200d', '/', '#']
  const all = [...parts, ...rare]
  let seed = 42
  const next = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let index = 0; index < count; index++) {
    yield Array.from({ length: next(40) }, () => all[next(all.length)]).join('')
  }
}
