import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defineProvider, providerDeclaration } from '../src/providers/provider-declaration.ts'
import { chunk, DONE, json, startScriptedUpstream, stream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

// What two providers call by two names is written for each that is asked, and not for the first of them.

const MOST = 900

/** By name, and what it takes: `old` stands for vLLM and its like, `plain` for what knows neither member. */
const DECLARED = [
  { name: 'old' },
  { name: 'plain', include_usage: false },
  { name: 'renamed', include_usage: false, max_tokens_parameter: 'max_completion_tokens' },
]
const NAMES = ['openai', 'mistral', 'openrouter', 'gemini', 'anthropic']
const OTHERS = [...NAMES.slice(1), ...DECLARED.map(({ name }) => name)]
const ROUTES = OTHERS.flatMap((name) => [
  { name: `openai-then-${name}`, targets: [placeAt('openai')], fallbacks: [placeAt(name)] },
  { name: `${name}-then-openai`, targets: [placeAt(name)], fallbacks: [placeAt('openai')] },
])

function placeAt(provider: string) {
  return { provider, model: `model-of-${provider}` }
}

let upstream: ScriptedUpstream
let setting: KeyedSetting
const folder = mkdtempSync(join(tmpdir(), 'fallbacks-'))
beforeAll(async () => {
  upstream = await startScriptedUpstream()
  const at = (name: string) => `${upstream.url}/${name}`
  const providers = DECLARED.map((one) => ({
    ...{ ...one, protocol: 'openai', base_url: at(one.name) },
    ...{ private: true, needs_key: false },
  }))
  const file = join(folder, 'providers.json')
  writeFileSync(file, JSON.stringify({ providers, routes: ROUTES }))
  setting = await startKeyedSetting(Object.fromEntries(NAMES.map((name) => [name, at(name)])), {
    PROVIDERS_FILE: file,
    MAX_OUTPUT_TOKENS: String(MOST),
  })
  for (const provider of NAMES) await setting.addKey({ provider, key: `sk-of-alice-for-${provider}-1234` })
})
beforeEach(() => {
  upstream.seen.length = 0
})
afterAll(async () => {
  await setting.close()
  await upstream.close()
  rmSync(folder, { recursive: true })
})

const usage = { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }
const STREAM = stream([chunk('Hi'), chunk('', { choices: [], usage }), DONE])
const completion = {
  choices: [{ message: { role: 'assistant', content: 'Hi.' }, finish_reason: 'stop' }],
  usage,
}
const MESSAGE = json(
  '{"type":"message","id":"m","model":"c","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":11,"output_tokens":2}}',
)
const MESSAGE_STREAM = stream(
  [
    '{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":11,"output_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}',
    '{"type":"content_block_stop","index":0}',
    '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
    '{"type":"message_stop"}',
  ].map((data) => `event: ${/"type":"(\w+)"/.exec(data)![1]!}\ndata: ${data}\n\n`),
)

/** What each of two providers got that were asked on a route, the first of which is not there; without what was said. */
async function sentBy(path: '/llm' | '/execute', request: object) {
  upstream.script = (res, { url, body }) => {
    if (upstream.seen.length === 1) {
      json('{"error":{"message":"later"}}', { status: 503 })(res)
      return
    }
    const { stream: streams } = JSON.parse(body.toString()) as { stream?: boolean }
    if (url.startsWith('/anthropic')) {
      ;(streams === true ? MESSAGE_STREAM : MESSAGE)(res)
      return
    }
    ;(streams === true ? STREAM : json(JSON.stringify(completion)))(res)
  }
  const answer = await setting.send(path, JSON.stringify(request))
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  const sent = upstream.seen.map(({ url, body }) => {
    const { messages: _, system: __, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>
    return { provider: url.split('/')[1], ...rest }
  })
  return { sent, text }
}

const WITH_USAGE = { stream_options: { include_usage: true } }
/** By which member each is told the most tokens, and what more stands in a request for a stream. */
const WORDS: Record<string, [most: string, ofStream: object]> = {
  openai: ['max_completion_tokens', WITH_USAGE],
  gemini: ['max_tokens', WITH_USAGE],
  mistral: ['max_tokens', {}],
  openrouter: ['max_tokens', {}],
  anthropic: ['max_tokens', {}],
  old: ['max_tokens', WITH_USAGE],
  plain: ['max_tokens', {}],
  renamed: ['max_completion_tokens', {}],
}
function wordsOf(provider: string, maxTokens: number, streams = false) {
  const [most, ofStream] = WORDS[provider]!
  const asked = { provider, model: `model-of-${provider}`, [most]: maxTokens }
  return streams ? { ...asked, stream: true, ...ofStream } : asked
}

const PAIRS = OTHERS.flatMap((name) => [
  { first: 'openai', then: name },
  { first: name, then: 'openai' },
])

describe.each(PAIRS)(
  '$first, and $then when it is not there, are each asked in words of their own',
  ({ first, then }) => {
    const route = `${first}-then-${then}`

    it.each([false, true])('on /llm, a stream: %s', async (streams) => {
      const { sent, text } = await sentBy('/llm', {
        model: route,
        prompt: 'hi',
        max_tokens: 7,
        stream: streams,
      })
      expect(sent).toEqual([wordsOf(first, 7, streams), wordsOf(then, 7, streams)])
      expect(text).toContain(`"provider":"${then}"`)
      // As the provider counted, and not as it is estimated here.
      expect(text).toContain('"usage":{"input_tokens":11,"output_tokens":2,"total_tokens":13}')
    })

    it('on /execute', async () => {
      const { sent } = await sentBy('/execute', {
        operation: 'summarize',
        input: { text: 'A text.', model: route },
      })
      expect(sent).toEqual([wordsOf(first, MOST), wordsOf(then, MOST)])
    })
  },
)

describe('the member that a provider of PROVIDERS_FILE is told the most tokens by', () => {
  const parameterOf = (more: object) =>
    defineProvider(
      providerDeclaration.parse({
        name: 'own',
        protocol: 'openai',
        base_url: 'https://own.example',
        ...more,
      }),
    ).maxTokensParameter

  it.each([
    ['https://example.openai.azure.com/openai', 'max_completion_tokens'],
    ['https://example.openai.azure.us/openai', 'max_completion_tokens'],
    ['https://example.cognitiveservices.azure.com/openai', 'max_completion_tokens'],
    ['https://example.cognitiveservices.azure.us/openai', 'max_completion_tokens'],
    ['https://example.services.ai.azure.com/openai', 'max_completion_tokens'],
    ['https://example.search.azure.com', 'max_tokens'],
    ['https://example.services.ai.azure.com.example', 'max_tokens'],
    ['https://eu.api.openai.com', 'max_completion_tokens'],
    ['https://api.openai.com.example', 'max_tokens'],
    ['https://notapi.openai.com', 'max_tokens'],
    ['https://api.deepseek.com', 'max_tokens'],
  ])('is at %s %s, unless said', (base_url, usual) => {
    expect(parameterOf({ base_url })).toBe(usual)
    for (const said of ['max_tokens', 'max_completion_tokens']) {
      expect(parameterOf({ base_url, max_tokens_parameter: said })).toBe(said)
    }
  })

  it('is no other than the two that there are', () => {
    expect(() => parameterOf({ max_tokens_parameter: 'max_output_tokens' })).toThrow(
      'must be one of max_completion_tokens, max_tokens',
    )
  })
})
