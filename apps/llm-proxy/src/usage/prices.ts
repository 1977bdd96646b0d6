/** What a model costs, as PROVIDERS_FILE has it: money per million tokens, with at most six decimals. */
export interface Price {
  provider: string
  /** Exactly, or the beginning of the name with a `*` at its end. */
  model: string
  input_per_million: number
  output_per_million: number
  /** Input that came from the provider's cache; as other input unless said. */
  cached_input_per_million?: number | undefined
  /** ISO 4217: `USD`. */
  currency: string
}

/** Money in millionths of its currency: whole numbers, so that sums are exact. */
export interface Cost {
  micros: bigint
  currency: string
}

/** How many tokens are paid for. */
export interface PricedTokens {
  /** All of the input, what came from a cache included. */
  input: number
  cached: number
  output: number
}

export interface Prices {
  /** To the millionth, half of one rounded up; undefined when the model has no price. */
  costOf(provider: string, model: string, tokens: PricedTokens): Cost | undefined
}

interface Rates {
  /** Millionths for a million tokens. */
  input: bigint
  cached: bigint
  output: bigint
  currency: string
}

const MILLION = 1_000_000n

/**
 * The exact name counts before the longest beginning.
 * @throws RangeError naming the price that is none, or is there twice
 */
export function createPrices(prices: readonly Price[]): Prices {
  const exact = new Map<string, Rates>()
  const beginnings: { provider: string; start: string; rates: Rates }[] = []
  for (const price of prices) {
    const { provider, model } = price
    const rates = ratesOf(price)
    const start = model.endsWith('*') ? model.slice(0, -1) : undefined
    const isTwice =
      start === undefined
        ? exact.has(nameOf(provider, model))
        : beginnings.some((other) => other.provider === provider && other.start === start)
    if (isTwice) throw new RangeError(`The price of ${provider} ${model} is there twice.`)
    if (start === undefined) exact.set(nameOf(provider, model), rates)
    else beginnings.push({ provider, start, rates })
  }
  beginnings.sort((one, other) => other.start.length - one.start.length)

  const find = (provider: string, model: string) =>
    exact.get(nameOf(provider, model)) ??
    beginnings.find((entry) => entry.provider === provider && model.startsWith(entry.start))?.rates

  return {
    costOf(provider, model, { input, cached, output }) {
      const rates = find(provider, model)
      if (!rates) return undefined
      const fromCache = Math.min(cached, input)
      const exactly =
        BigInt(input - fromCache) * rates.input +
        BigInt(fromCache) * rates.cached +
        BigInt(output) * rates.output
      return { micros: (exactly + MILLION / 2n) / MILLION, currency: rates.currency }
    },
  }
}

function nameOf(provider: string, model: string): string {
  return `${provider}/${model}`
}

function ratesOf(price: Price): Rates {
  const { provider, model, currency, input_per_million: input, output_per_million: output } = price
  const read = (name: string, value: number) => {
    const micros = microsOf(String(value))
    if (micros === undefined) {
      throw new RangeError(`${name} of ${provider} ${model} must be an amount with at most six decimals.`)
    }
    return micros
  }
  if (!/^[A-Z]{3}$/.test(currency)) {
    throw new RangeError(`currency of ${provider} ${model} must be three capital letters.`)
  }
  return {
    input: read('input_per_million', input),
    cached: read('cached_input_per_million', price.cached_input_per_million ?? input),
    output: read('output_per_million', output),
    currency,
  }
}

/** Millionths of an amount such as `12.5`; undefined when it is none, or has more than six decimals. */
export function microsOf(amount: string): bigint | undefined {
  const [, whole, decimals = ''] = /^(\d{1,12})(?:\.(\d{1,6}))?$/.exec(amount) ?? []
  return whole === undefined ? undefined : BigInt(whole) * MILLION + BigInt(decimals.padEnd(6, '0'))
}

/** The amount that so many millionths are: `12.50`, with two decimals at least. */
export function amountOf(micros: bigint): string {
  const decimals = String(micros % MILLION)
    .padStart(6, '0')
    .replace(/0{1,4}$/, '')
  return `${micros / MILLION}.${decimals}`
}
