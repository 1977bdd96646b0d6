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
  /**
   * The same of an answer: by the model that it names, where that has a price, else by the one that was asked for. Of a version of
   * that one, `gpt-5-mini-2025-08-07` of `gpt-5-mini`, the asked one's own price is no less its own than that of a shorter `gpt-5*`.
   */
  costOfAnswer(provider: string, model: AnsweredModel, tokens: PricedTokens): Cost | undefined
}

export interface AnsweredModel {
  asked: string
  /** As the answer says; undefined when it does not. */
  named: string | undefined
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

  const beginningOf = (provider: string, model: string) =>
    beginnings.find((entry) => entry.provider === provider && model.startsWith(entry.start))

  const find = (provider: string, model: string) =>
    exact.get(nameOf(provider, model)) ?? beginningOf(provider, model)?.rates

  function findNamed(provider: string, named: string, asked: string): Rates | undefined {
    const own = exact.get(nameOf(provider, named))
    if (own) return own
    const beginning = beginningOf(provider, named)
    const alias = asked.replace(/-latest$/, '')
    // What all others cost (`*`) is not said of the one asked for: vendors name it by its version, Azure by what is deployed.
    const isCloser = !beginning?.start || (named.startsWith(alias) && alias.length >= beginning.start.length)
    return (isCloser ? exact.get(nameOf(provider, asked)) : undefined) ?? beginning?.rates
  }

  return {
    costOf: (provider, model, tokens) => costAt(find(provider, model), tokens),
    costOfAnswer(provider, { asked, named }, tokens) {
      const own = find(provider, asked)
      const rates = named === undefined ? undefined : findNamed(provider, named, asked)
      // A budget counts in the currency in which the call was let in.
      const counts = rates && (!own || own.currency === rates.currency)
      return costAt(counts ? rates : own, tokens)
    },
  }
}

function costAt(rates: Rates | undefined, { input, cached, output }: PricedTokens): Cost | undefined {
  if (!rates) return undefined
  const fromCache = Math.min(cached, input)
  const exactly =
    BigInt(input - fromCache) * rates.input + BigInt(fromCache) * rates.cached + BigInt(output) * rates.output
  return { micros: (exactly + MILLION / 2n) / MILLION, currency: rates.currency }
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
