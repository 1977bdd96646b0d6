import { describe, expect, test } from 'vitest'
import { amountOf, createPrices, microsOf } from '../src/usage/prices.ts'
import type { Price } from '../src/usage/prices.ts'

const price = (model: string, input: number, output: number, more: Partial<Price> = {}): Price => ({
  ...{ provider: 'openai', model, input_per_million: input, output_per_million: output, currency: 'USD' },
  ...more,
})
const tokens = (input: number, output = 0, cached = 0) => ({ input, output, cached })

describe('what a call costs', () => {
  test.each([
    // 0.1 + 0.2 in binary fractions would be off.
    [price('m', 0.1, 0.2), tokens(1_000_000, 1_000_000), 300_000n],
    [price('m', 2.5, 10, { cached_input_per_million: 1.25 }), tokens(1_000, 100, 400), 3_000n],
    // Without a price of its own, what came from the cache is input.
    [price('m', 2.5, 10), tokens(1_000, 100, 400), 3_500n],
    // Half a millionth is one, less is none.
    [price('m', 0.5, 0), tokens(1), 1n],
    [price('m', 0.499999, 0), tokens(1), 0n],
    [price('m', 0, 0), tokens(1_000), 0n],
    // More than 2^53 on the way.
    [price('m', 999_999.999999, 0), tokens(999_999_999), 999_999_998_999_000n],
    // More from the cache than there was input is no input at a negative price.
    [price('m', 1_000_000, 0, { cached_input_per_million: 1 }), tokens(10, 0, 20), 10n],
  ])('%o for %o is %d millionths', (one, used, micros) => {
    expect(createPrices([one]).costOf('openai', 'm', used)).toEqual({ micros, currency: 'USD' })
  })

  test('is that of the exact name, then of the longest beginning, of that provider alone', () => {
    const prices = createPrices([
      price('*', 1, 0),
      price('gpt-*', 2, 0),
      price('gpt-4*', 3, 0),
      price('gpt-4', 4, 0),
      price('gpt-4-turbo', 5, 0, { provider: 'azure' }),
    ])
    const costOf = (model: string, provider = 'openai') =>
      prices.costOf(provider, model, tokens(1_000_000))?.micros
    expect(costOf('gpt-4')).toBe(4_000_000n)
    expect(costOf('gpt-4-turbo')).toBe(3_000_000n)
    expect(costOf('gpt-5')).toBe(2_000_000n)
    expect(costOf('o3')).toBe(1_000_000n)
    expect(costOf('gpt-4', 'azure')).toBeUndefined()
    expect(costOf('o3', 'anthropic')).toBeUndefined()
  })

  describe('of an answer is that of the model that it names', () => {
    const prices = createPrices([
      price('cheap/free', 0, 0),
      price('very/*', 9, 0),
      price('gpt-5*', 2, 0),
      price('gpt-5-mini', 1, 0),
      price('gpt-5-mini-2024-01-01', 4, 0),
      price('gpt-5-mini-pro*', 8, 0),
      price('claude-haiku-latest', 3, 0),
      price('claude*', 7, 0),
    ])
    const costOf = (asked: string, named?: string) =>
      prices.costOfAnswer('openai', { asked, named }, tokens(1_000_000))?.micros

    test.each([
      ['another than was asked', 'cheap/free', 'very/expensive', 9_000_000n],
      ['a version with a price of its own', 'gpt-5-mini', 'gpt-5-mini-2024-01-01', 4_000_000n],
      ['a version, at the price of the one asked', 'gpt-5-mini', 'gpt-5-mini-2025-08-07', 1_000_000n],
      ['a larger one of a longer beginning', 'gpt-5-mini', 'gpt-5-mini-pro-2025', 8_000_000n],
      ['another of the same beginning', 'gpt-5-mini', 'gpt-5-2025-08-07', 2_000_000n],
      ['a version of the latest', 'claude-haiku-latest', 'claude-haiku-20241022', 3_000_000n],
      ['by a name without a price', 'gpt-5-mini', 'snapshot-7', 1_000_000n],
      ['none', 'gpt-5-mini', undefined, 1_000_000n],
      ['one of two without a price', 'a', 'b', undefined],
    ])('%s: asked %s, named %s', (_, asked, named, micros) => {
      expect(costOf(asked, named)).toBe(micros)
    })

    test('unless it is only one of all others (`*`), and the one asked for has a price of its own', () => {
      const others = createPrices([price('*', 1_000, 0), price('my-deployment', 2, 0)])
      const micros = (asked: string) =>
        others.costOfAnswer('openai', { asked, named: 'gpt-4o' }, tokens(1_000_000))?.micros
      expect(micros('my-deployment')).toBe(2_000_000n)
      expect(micros('another')).toBe(1_000_000_000n)
    })

    test('unless it is in another currency, which the budget does not count', () => {
      const mixed = createPrices([price('cheap', 1, 0), price('dear', 9, 0, { currency: 'EUR' })])
      const cost = (asked: string) =>
        mixed.costOfAnswer('openai', { asked, named: 'dear' }, tokens(1_000_000))
      expect(cost('cheap')).toEqual({ micros: 1_000_000n, currency: 'USD' })
      expect(cost('unpriced')).toEqual({ micros: 9_000_000n, currency: 'EUR' })
    })
  })

  test('a million sums of a tenth of a millionth are exact', () => {
    const prices = createPrices([price('m', 0.1, 0)])
    let sum = 0n
    for (let calls = 0; calls < 1_000_000; calls += 1)
      sum += prices.costOf('openai', 'm', tokens(10))?.micros ?? 0n
    expect(amountOf(sum)).toBe('1.00')
  })
})

test.each([
  [price('m', -1, 0), 'input_per_million of openai m'],
  [price('m', 1, Number.NaN), 'output_per_million of openai m'],
  [price('m', 1, 1, { cached_input_per_million: 0.000_000_1 }), 'cached_input_per_million of openai m'],
  [price('m', 1, 1, { currency: 'usd' }), 'currency of openai m'],
])('a price that is none stops the start and is named: %o', (one, named) => {
  expect(() => createPrices([one])).toThrow(named)
})

test.each(['m', 'm*'])('a price that is there twice stops the start and is named: %s', (model) => {
  expect(() => createPrices([price(model, 1, 1), price(model, 2, 2)])).toThrow(
    `The price of openai ${model} is there twice.`,
  )
})

test.each([
  ['12.5', 12_500_000n, '12.50'],
  ['0.000001', 1n, '0.000001'],
  ['0', 0n, '0.00'],
  ['999999999999.999999', 999_999_999_999_999_999n, '999999999999.999999'],
])('the amount %s is %d millionths, and is told as %s', (amount, micros, told) => {
  expect(microsOf(amount)).toBe(micros)
  expect(amountOf(micros)).toBe(told)
})

test.each(['', '-1', '1.0000001', '1e3', '0x10', '.5', '1.', ' 1', '1,5', '١'])(
  '%o is no amount',
  (amount) => {
    expect(microsOf(amount)).toBeUndefined()
  },
)
