import '@waybill/telemetry/register'
import { runInContext } from '@waybill/service-kit'
import { metricsText, stopTelemetry } from '@waybill/telemetry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HAS_REDIS, startRedis } from '../../../packages/service-kit/test/redis-server.ts'
import type { CallOutcome, MeteredCall } from '../src/usage/meter.ts'
import { answered, callOf, startUsageSetting, userOf } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

let setting: UsageSetting
beforeAll(async () => {
  setting = await startUsageSetting()
})
afterAll(async () => {
  await setting.close()
  await stopTelemetry()
})

const rowsOf = (user: string) =>
  setting.admin(
    `select to_char(day, 'YYYY-MM-DD') as day, api_key_id, provider, model, key_id, operation, stream, result,
       input_tokens::int, output_tokens::int, cached_tokens::int, estimated, cost_micros::float8, currency, request_id
     from usage where user_id = $1 order by at, id`,
    [user],
  )

/** The row of one call that ended so. */
async function rowOf(user: string, outcome: CallOutcome, call: Partial<MeteredCall> = {}) {
  const { meter, ledger } = setting.open()
  const run = await meter.begin(callOf(user, call))
  run.end(outcome)
  await ledger.flush()
  const [row] = await rowsOf(user)
  return row
}

const nobody = { usage: undefined, provider: undefined, model: undefined, keyId: undefined }

describe('a call is written down as one row', () => {
  test('with what the provider counted, its price, the keys that were used, and the request', async () => {
    const at = Date.parse('2026-11-25T23:59:59.999Z')
    const { meter, ledger } = setting.open({}, () => at)
    const principal = userOf('row', { apiKeyId: 'api-key-1' })
    const context = {
      requestId: 'request-1',
      log: {} as never,
      deadline: Infinity,
      signal: new AbortController().signal,
    }
    const run = await runInContext(context, () => meter.begin(callOf('row', { principal, stream: true })))
    run.end(
      answered(1_000, 100, {
        usage: { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 400 },
        model: 'gpt-test-2026-10-01',
      }),
    )
    await ledger.flush()
    expect(await rowsOf('row')).toEqual([
      {
        day: '2026-11-25',
        api_key_id: 'api-key-1',
        provider: 'openai',
        model: 'gpt-test-2026-10-01',
        key_id: 'key-1',
        operation: 'chat',
        stream: true,
        result: 'answered',
        input_tokens: 1_000,
        output_tokens: 100,
        cached_tokens: 400,
        estimated: false,
        cost_micros: 3_500,
        currency: 'USD',
        request_id: 'request-1',
      },
    ])
  })

  test('however often it ends', async () => {
    const { meter, ledger } = setting.open()
    const run = await meter.begin(callOf('twice'))
    run.end(answered(1, 1))
    run.end(answered(1, 1))
    await ledger.flush()
    expect(await rowsOf('twice')).toHaveLength(1)
  })

  test('of a stream that the client gave up: its input, and what had come of the answer, as an estimate', async () => {
    const row = await rowOf('gone', {
      ...nobody,
      provider: 'openai',
      result: 'aborted',
      estimatedOutputTokens: 30,
    })
    expect(row).toMatchObject({
      result: 'aborted',
      input_tokens: 4,
      output_tokens: 30,
      estimated: true,
      cost_micros: 310,
    })
  })

  test.each(['failed', 'aborted'] as const)('of one that %s unsent: nothing was used', async (result) => {
    const row = await rowOf(`unsent-${result}`, { ...nobody, result, unused: true })
    expect(row).toMatchObject({
      provider: 'openai',
      model: 'gpt-test',
      input_tokens: 0,
      output_tokens: 0,
      estimated: false,
    })
  })

  test('of one that was sent and failed: what the provider had to read for it', async () => {
    const row = await rowOf('lost', { ...nobody, result: 'failed' })
    expect(row).toMatchObject({ input_tokens: 4, output_tokens: 0, estimated: true })
  })

  test('of one from our own cache: nothing was used', async () => {
    const row = await rowOf('cached', { ...answered(50, 50), result: 'cached' })
    expect(row).toMatchObject({ result: 'cached', input_tokens: 0, output_tokens: 0, cost_micros: 0 })
  })

  test('by who answered in the end, whoever was asked', async () => {
    const row = await rowOf('fallback', answered(1_000, 0, { provider: 'mistral', model: 'euro' }))
    expect(row).toMatchObject({ provider: 'mistral', model: 'euro', cost_micros: 1_000, currency: 'EUR' })
  })

  test('at the price of the model that was asked for, where the provider calls it by another name', async () => {
    const row = await rowOf('renamed', answered(1_000, 0, { model: 'snapshot-7' }))
    expect(row).toMatchObject({ model: 'snapshot-7', cost_micros: 2_500 })
  })

  test('at the price of the model that answered, under the name of the one that was asked', async () => {
    const chosen = answered(1_000, 0, { model: 'free-model', responseModel: 'gpt-test-9' })
    const row = await rowOf('chosen', chosen, { model: 'free-model' })
    expect(row).toMatchObject({ model: 'free-model', cost_micros: 2_500 })
  })

  test('a model without a price has no cost, rather than none to pay', async () => {
    const row = await rowOf('unpriced', answered(1_000, 0, { model: 'other' }), { model: 'other' })
    expect(row).toMatchObject({ cost_micros: null, currency: null })
  })

  test.each([
    [{ inputTokens: Number.NaN, outputTokens: -5, cachedInputTokens: Infinity }, [0, 0, 0]],
    [{ inputTokens: 1.9, outputTokens: 1e300, cachedInputTokens: 7 }, [1, 1_000_000_000, 1]],
  ])('counts of a provider that make no sense (%o) do no harm', async (usage, tokens) => {
    const row = await rowOf(`odd-${String(tokens[0])}`, answered(0, 0, { usage }))
    expect([row?.input_tokens, row?.output_tokens, row?.cached_tokens]).toEqual(tokens)
  })
})

describe('a refusal', () => {
  test('names its limit and when to come again, and is counted by that name', async () => {
    const { meter } = setting.open({ LLM_REQUESTS_PER_MINUTE: 'free=1' })
    const run = await meter.begin(callOf('hasty'))
    expect(run.headers).toMatchObject({
      'x-waybill-ratelimit-limit-requests': '1',
      'x-waybill-ratelimit-remaining-requests': '0',
    })
    const refused: unknown = await meter.begin(callOf('hasty')).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      status: 429,
      code: 'rate_limited',
      extensions: { reason: 'requests_per_minute' },
    })
    expect(await metricsText()).toMatch(
      /^waybill_rate_limited_total\{.*waybill_limit="requests_per_minute".*\} 1( \d+)?$/m,
    )
  })

  test('leaves no row, and no place taken', async () => {
    const { meter, ledger } = setting.open({ LLM_CONCURRENT_REQUESTS: 'free=1' })
    const run = await meter.begin(callOf('polite'))
    await expect(meter.begin(callOf('polite'))).rejects.toMatchObject({ status: 429 })
    run.end(answered(1, 1))
    const next = await meter.begin(callOf('polite'))
    next.end(answered(1, 1))
    await ledger.flush()
    expect(await rowsOf('polite')).toHaveLength(2)
  })
})

test('a place that is taken before the call is read counts once, and its tokens later', async () => {
  const { meter } = setting.open({ LLM_CONCURRENT_REQUESTS: 'free=1', LLM_REQUESTS_PER_MINUTE: 'free=2' })
  const principal = userOf('early')
  const place = await meter.enter(principal)
  await expect(meter.enter(principal)).rejects.toMatchObject({
    extensions: { reason: 'concurrent_requests' },
  })
  const run = await meter.begin(callOf('early', { hasEntered: true }))
  expect(run.headers['x-waybill-ratelimit-remaining-requests']).toBe('1')
  run.end(answered(1, 1))
  await expect(meter.begin(callOf('early'))).rejects.toMatchObject({
    extensions: { reason: 'concurrent_requests' },
  })
  place.leave()
  place.leave()
  const next = await meter.begin(callOf('early'))
  expect(next.headers['x-waybill-ratelimit-remaining-requests']).toBe('0')
})

test('what does not count as a number of tokens is reserved as none', async () => {
  const { meter } = setting.open({ LLM_TOKENS_PER_MINUTE: 'free=10' })
  for (const estimatedTokens of [Number.NaN, -50, 0.5]) await meter.begin(callOf('nan', { estimatedTokens }))
  const { headers } = await meter.begin(callOf('nan', { estimatedTokens: 10.7 }))
  expect(headers['x-waybill-ratelimit-remaining-tokens']).toBe('0')
})

test.skipIf(!HAS_REDIS)(
  'with REDIS_URL instances have one count between them (skipped where there is no redis-server)',
  async () => {
    const redis = await startRedis()
    const environment = { REDIS_URL: redis.url, LLM_REQUESTS_PER_MINUTE: 'free=9' }
    const instances = [setting.open(environment), setting.open(environment)]
    for (const usage of instances) await usage.start()
    const begun = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => instances[at % 2]!.meter.begin(callOf('shared'))),
    )
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(9)
    for (const usage of instances) await usage.close()
    await redis.close()
  },
)
