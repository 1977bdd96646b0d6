import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { metrics } from '@opentelemetry/api'
import type { Attributes, MeterProvider } from '@opentelemetry/api'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { contentAttributes } from '../src/gen-ai/content.ts'
import { startInference } from '../src/index.ts'
import { collector } from './stand.ts'
import type { Span } from './stand.ts'

const FIXTURE = fileURLToPath(new URL('fixtures/inference.ts', import.meta.url))
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const LATEST = { OTEL_SEMCONV_STABILITY_OPT_IN: 'http, gen_ai_latest_experimental' }
const CLIENT = 3

let sink: Awaited<ReturnType<typeof collector>>
beforeEach(async () => {
  sink = await collector()
})
afterEach(() => {
  sink.close()
})

/** The calls of the fixture, made in a process with telemetry on: the metrics as text; the spans are in `sink`. */
async function calls(environment: NodeJS.ProcessEnv = {}) {
  const env = { PATH: process.env.PATH, OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...environment }
  const register = ['--import', '@waybill/telemetry/register', FIXTURE]
  return promisify(execFile)(process.execPath, register, { cwd: PACKAGE, env })
}
const span = (name: string, provider?: string): Span => {
  const found = sink.spans.find(
    ({ name: given, attributes }) =>
      given === name && (provider === undefined || attributes['gen_ai.provider.name'] === provider),
  )
  return found ?? expect.fail(`no ${name} among ${sink.spans.map((each) => each.name).join(', ')}`)
}
const series = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(`${name}{`))

describe('the span of a call to a model', () => {
  test('is a client span of operation and model, with what was asked and what came', async () => {
    await calls()
    const { kind, attributes } = span('chat gpt-x', 'openai')
    expect(kind).toBe(CLIENT)
    const { 'gen_ai.response.time_to_first_chunk': firstChunk, ...rest } = attributes
    expect(Object.keys(attributes)).toContain('gen_ai.response.time_to_first_chunk')
    expect(firstChunk).not.toBe(0)
    expect(rest).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-x',
      'gen_ai.request.stream': true,
      'gen_ai.request.max_tokens': 64,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.request.top_p': 1,
      'gen_ai.request.seed': 7,
      'gen_ai.request.choice.count': 2,
      'gen_ai.request.stop_sequences': ['END'],
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.response.model': 'gpt-x-2026',
      'gen_ai.response.finish_reasons': ['stop', 'length'],
      'gen_ai.usage.input_tokens': 12,
      'gen_ai.usage.output_tokens': 34,
      'gen_ai.usage.cache_read.input_tokens': 8,
      'gen_ai.usage.cache_creation.input_tokens': 3,
      'gen_ai.usage.reasoning.output_tokens': 5,
      'server.address': 'api.openai.com',
      'server.port': 443,
    })
  })

  test('names who answered after a fallback, and is the parent of what is done within', async () => {
    await calls()
    expect(span('chat gpt-x', 'mistral_ai').attributes).toMatchObject({ 'server.address': 'api.mistral.ai' })
    expect(span('chat inner').parentSpanId).toBe(span('embeddings').spanId)
  })

  test('of one that failed says by what, and is an error; the first end counts', async () => {
    await calls()
    const { attributes, status } = span('chat a-stranger-typed-this')
    expect(attributes['error.type']).toBe('404')
    expect(status).toMatchObject({ code: 2 })
    expect(span('chat gpt-x', 'openai').attributes).not.toHaveProperty('error.type')
  })

  test.each([
    ['by default', {}, undefined, undefined, undefined],
    [
      'where it is asked for, up to 16,384 characters',
      { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' },
      /^\[\{"role":"user","content":"canary of the user x{16330,16384}$/,
      'canary of the model',
      '"canary of the application"',
    ],
  ])('holds content %s', async (_name, environment, input, output, instructions) => {
    await calls(environment)
    const { attributes } = span('chat gpt-x', 'openai')
    expect(attributes['gen_ai.output.messages']).toBe(output)
    expect(attributes['gen_ai.system_instructions']).toBe(instructions)
    if (input) expect(attributes['gen_ai.input.messages']).toMatch(input)
    else expect(JSON.stringify(sink.spans)).not.toContain('canary')
  })
})

describe('the metrics of calls to models', () => {
  test('are those of the released conventions, in their buckets', async () => {
    const { stdout: text } = await calls()
    const model = 'gen_ai_request_model="gpt-x",gen_ai_response_model="gpt-x-2026"'
    const of = (name: string) => series(text, name).filter((line) => line.includes(model))
    const tokens = of('gen_ai_client_token_usage_bucket')
    expect(tokens.filter((line) => line.includes('type="input"'))).toHaveLength(15)
    expect(tokens.find((line) => /type="input".*le="16"/.test(line))).toMatch(/ 1$/)
    expect(tokens.find((line) => /type="input".*le="4"/.test(line))).toMatch(/ 0$/)
    expect(of('gen_ai_client_operation_duration_count')).toHaveLength(1)
    const bounds = of('gen_ai_client_operation_time_to_first_chunk_bucket').map(
      (line) => /le="([^"]+)"/.exec(line)?.[1],
    )
    expect(bounds).toEqual(
      [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, '+Inf'].map(
        String,
      ),
    )
    expect(text).not.toContain('gen_ai_client_inference')
  })

  test('are those of the newest on request, and then no others', async () => {
    const { stdout: text } = await calls(LATEST)
    const total = (name: string): string | undefined =>
      series(text, `gen_ai_client_inference_usage_${name}_total`).find((line) => line.includes('gpt-x-2026'))
    for (const [name, value] of [
      ['input_tokens', 12],
      ['output_tokens', 34],
      ['cache_read_input_tokens', 8],
      ['cache_write_input_tokens', 3],
      ['reasoning_output_tokens', 5],
    ] as const)
      expect(total(name)).toMatch(new RegExp(`modality="unknown".* ${String(value)}$`))
    for (const name of [
      'duration',
      'time_to_first_chunk',
      'operation_input_tokens',
      'operation_output_tokens',
    ])
      expect(series(text, `gen_ai_client_inference_${name}_count`).length, name).toBeGreaterThan(0)
    expect(text).not.toMatch(/gen_ai_client_(?:operation|token)/)
    expect(span('chat gpt-x', 'openai').attributes).toMatchObject({
      'gen_ai.usage.cache_write.input_tokens': 3,
    })
  })

  test('have no series for the model of a call that nobody answered, and count each call once', async () => {
    const { stdout: text } = await calls()
    expect(text).toMatch(/^gen_ai_client_operation_duration_count\{.*error_type="404".*\} 1/m)
    expect(text).not.toContain('a-stranger-typed-this')
    expect(text).not.toContain('too late')
  })
})

test('content that cannot be written down again is left out, and the call goes on', () => {
  let deep: unknown = 'x'
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
  const system = [{ text: 'be brief' }]
  expect(contentAttributes({ messages: deep, system })).toEqual({
    'gen_ai.system_instructions': JSON.stringify(system),
  })
})

/** A meter whose instruments all record with `record`; the names of those that are made. */
function stubMeter(record: (value: number, attributes: Attributes) => void): string[] {
  const made: string[] = []
  const instrument = (name: string) => {
    made.push(name)
    return { record, add: record }
  }
  const meter = { createHistogram: instrument, createCounter: instrument }
  metrics.setGlobalMeterProvider({ getMeter: () => meter } as unknown as MeterProvider) // of a meter only what is used
  return made
}

test('200 models have series of their own, and no more: there are servers that answer to any name', () => {
  const models = new Set<unknown>()
  stubMeter((_value, attributes) => {
    models.add(attributes['gen_ai.request.model']).add(attributes['gen_ai.response.model'])
  })
  try {
    for (let call = 0; call < 300; call += 1) {
      const model = `m-${String(call)}`
      startInference({ operation: 'chat', provider: 'openai', model }).end({ model })
    }
    expect(models.size).toBe(201)
    expect(models).toContain('_OTHER')
  } finally {
    metrics.disable()
  }
})

test('instruments are made once, and not for each call', () => {
  const record = vi.fn()
  const made = stubMeter(record)
  try {
    const usage = { inputTokens: 1, outputTokens: 1 }
    for (let call = 0; call < 3; call += 1)
      startInference({ operation: 'chat', provider: 'openai' }).end({ usage })
    expect(made).toHaveLength(3)
    expect(record).toHaveBeenCalledTimes(9)
  } finally {
    metrics.disable()
  }
})

test('without telemetry a call is nothing but its work', () => {
  const inference = startInference({ operation: 'chat', provider: 'openai', model: 'x', stream: true })
  expect(inference.capturesContent).toBe(false)
  expect(inference.run(() => 42)).toBe(42)
  inference.firstChunk()
  inference.end({ usage: { inputTokens: 1, outputTokens: 1 } })
})
