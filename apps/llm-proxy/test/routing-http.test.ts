import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { chunk, json, startScriptedUpstream, stream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

const CHAT = '/openai/v1/chat/completions'
const KEY = 'sk-provider-key-of-alice-0123456789'
const SPARE_KEY = 'sk-spare-key-of-alice-0123456789abc'
const COOL_DOWN_MS = 60_000
const mistral = [{ provider: 'mistral', model: 'mistral-x' }]
const ROUTES = [
  { match: { provider: 'openai', model: 'falls-*' }, fallbacks: mistral },
  {
    match: { provider: 'openai', model: 'key-*' },
    fallbacks: [{ provider: 'openai', key: 'spare' }],
    retries: { attempts: 2 },
  },
  { match: { provider: 'openrouter' }, fallbacks: mistral },
  {
    match: { provider: 'openai', model: 'again-*' },
    retries: { attempts: 1, max_pause_ms: 500, budget: 1 },
  },
  {
    match: { provider: 'openai', model: 'breaks-*' },
    breaker: { failures: 2, cool_down_ms: COOL_DOWN_MS },
  },
  {
    name: 'fast',
    targets: [{ provider: 'openai', model: 'gpt-x' }],
    fallbacks: [{ provider: 'anthropic', model: 'claude-x' }],
  },
]

const folder = mkdtempSync(join(tmpdir(), 'routes-'))
let first: ScriptedUpstream
let second: ScriptedUpstream
let setting: KeyedSetting

beforeAll(async () => {
  const file = join(folder, 'providers.json')
  writeFileSync(file, JSON.stringify({ routes: ROUTES }))
  const nobody = await startScriptedUpstream()
  await nobody.close()
  ;[first, second] = await Promise.all([startScriptedUpstream(), startScriptedUpstream()])
  const urls = { openai: first.url, mistral: second.url, anthropic: second.url, openrouter: nobody.url }
  setting = await startKeyedSetting(urls, { PROVIDERS_FILE: file })
  for (const provider of Object.keys(urls)) await setting.addKey({ provider, key: KEY })
  await setting.addKey({ provider: 'openai', key: SPARE_KEY, name: 'spare' })
  await setting.addKey({ provider: 'openai', key: 'sk-only-key-of-bob-0123456789abcd', as: 'bob' })
})
afterAll(async () => {
  await setting.close()
  await Promise.all([first.close(), second.close()])
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  first.seen.length = 0
  second.seen.length = 0
  second.script = json('{"id":"from-second"}')
})

const asking = (model: string, more = {}) => JSON.stringify({ model, messages: [], ...more })
const failing = (status: number, headers: Record<string, string> = {}, code: string | null = null) => {
  const body = JSON.stringify({ error: { message: 'no', type: 'x', param: null, code } })
  return { body, script: json(body, { status, headers }) }
}

describe('a fallback', () => {
  it('to another provider gets the same bytes with its own model, and answers', async () => {
    first.script = failing(503).script
    const answer = await setting.send(
      CHAT,
      '{ "model" : "falls-1",\n"messages":[], "seed":9007199254740993 }',
    )
    expect([answer.status, await answer.text()]).toEqual([200, '{"id":"from-second"}'])
    expect(answer.headers.get('x-waybill-provider')).toBe('mistral')
    expect(first.seen.length).toBe(1)
    expect(second.seen.map(({ url, body }) => [url, body.toString()])).toEqual([
      [...['/v1/chat/completions', '{ "model" : "mistral-x",\n"messages":[], "seed":9007199254740993 }']],
    ])
  })

  it('is who /llm says has answered, by whichever name it was asked for', async () => {
    first.script = failing(503).script
    const message = { role: 'assistant', content: 'Hello' }
    const usage = { prompt_tokens: 1, completion_tokens: 1 }
    for (const [asked, said] of [
      ['openai/falls-1', { provider: 'mistral', model: 'mistral/mistral-x' }],
      ['openai/again-1', { provider: 'openai', model: 'openai/again-1' }],
    ] as const) {
      const whole = json(JSON.stringify({ choices: [{ message, finish_reason: 'stop' }], usage }))
      if (said.provider === 'openai') first.script = whole
      else second.script = whole
      const answer = await setting.send('/llm', JSON.stringify({ model: asked, prompt: 'Hi' }))
      expect(await answer.json()).toMatchObject({ output: 'Hello', ...said })
      const streamed = await setting.send(
        '/llm',
        JSON.stringify({ model: asked, prompt: 'Hi', stream: true }),
      )
      expect(await streamed.text()).toContain(`"model":"${said.model}","provider":"${said.provider}"`)
    }
  })

  it('comes when there is no connection at all', async () => {
    const answer = await setting.send('/openrouter/v1/chat/completions', asking('x/y'))
    expect(await answer.text()).toBe('{"id":"from-second"}')
  })

  it('to another key comes at once when the quota of the first is used up', async () => {
    const usedUp = failing(429, {}, 'insufficient_quota')
    first.script = (res, request) =>
      (request.headers.authorization === `Bearer ${KEY}` ? usedUp.script : json('{"id":"spare"}'))(res)
    const answer = await setting.send(CHAT, asking('key-1'))
    expect(await answer.text()).toBe('{"id":"spare"}')
    expect(first.seen.map(({ headers }) => headers.authorization)).toEqual([
      ...[`Bearer ${KEY}`, `Bearer ${SPARE_KEY}`],
    ])
  })

  it('that the user has no key for takes nothing away from the answer that is there', async () => {
    const { body, script } = failing(503, { 'retry-after': '7' })
    first.script = script
    const answer = await setting.send(CHAT, asking('falls-1'), { as: 'bob' })
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '7', body])
    expect(answer.headers.get('x-should-retry')).toBeNull()
    expect(second.seen).toEqual([])
  })

  it('is never made of a stream that has begun, which ends as an error', async () => {
    first.script = stream([chunk('Hel')], { then: 'cut' })
    const answer = await setting.send(CHAT, asking('falls-1', { stream: true }))
    const text = await new Response(answer.body).text().catch((error: unknown) => String(error))
    expect(answer.status).toBe(200)
    expect(text).not.toContain('[DONE]')
    expect([first.seen.length, second.seen.length]).toEqual([1, 0])
  })

  it('of a named route may speak another protocol', async () => {
    first.script = failing(500).script
    const content = [{ type: 'text', text: 'Hello' }]
    const usage = { input_tokens: 3, output_tokens: 1 }
    second.script = json(
      JSON.stringify({
        ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-x', content, usage },
        ...{ stop_reason: 'end_turn', stop_sequence: null },
      }),
    )
    const messages = [{ role: 'user', content: 'Hi' }]
    const answer = await setting.send('/v1/chat/completions', JSON.stringify({ model: 'fast', messages }))
    expect(await answer.json()).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { role: 'assistant', content: 'Hello' } }],
    })
    expect(JSON.parse(first.seen[0]!.body.toString())).toMatchObject({ model: 'gpt-x' })
    expect(second.seen.map(({ url }) => url)).toEqual(['/v1/messages'])
  })
})

describe('a retry', () => {
  it('is made where the pause that the provider asks for is short enough', async () => {
    let calls = 0
    first.script = (res) => {
      calls += 1
      const script = calls === 1 ? failing(429, { 'retry-after-ms': '120' }).script : json('{"id":"2"}')
      script(res)
    }
    const answer = await setting.send(CHAT, asking('again-1'))
    expect(await answer.text()).toBe('{"id":"2"}')
    expect(calls).toBe(2)
  })

  it('is left to the client when that is longer than the longest pause', async () => {
    const { body, script } = failing(429, { 'retry-after': '30' })
    first.script = script
    const answer = await setting.send(CHAT, asking('again-1'))
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([429, '30', body])
    expect(answer.headers.get('x-should-retry')).toBeNull()
    expect(first.seen.length).toBe(1)
  })

  it("is not multiplied by the SDK's own", async () => {
    first.script = failing(503).script
    const client = new OpenAI({
      ...{ baseURL: `${setting.url}/openai/v1`, apiKey: await setting.tokenOf('alice'), maxRetries: 2 },
    })
    const asked = client.chat.completions.create({ model: 'again-1', messages: [] })
    await expect(asked).rejects.toMatchObject({ status: 503 })
    expect(first.seen.length).toBe(2)
  })
})

describe('a circuit breaker', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('opens, is 503 with Retry-After without asking anybody, and lets one probe through', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    first.script = () => undefined
    const headers = { 'X-Request-Timeout-Ms': '400' }
    for (const _ of [1, 2])
      expect((await setting.send(CHAT, asking('breaks-1'), { headers })).status).toBe(504)
    first.seen.length = 0

    first.script = failing(500).script
    for (const _ of [1, 2]) expect((await setting.send(CHAT, asking('breaks-1'))).status).toBe(500)
    const open = await setting.send(CHAT, asking('breaks-1'))
    expect([open.status, open.headers.get('retry-after')]).toEqual([503, '60'])
    expect(await open.json()).toMatchObject({ error: { message: expect.stringContaining('openai') } })
    expect(first.seen.length).toBe(2)

    expect(setting.logged()).toContain('"circuit":"open","provider":"openai"')
    expect(setting.logged()).not.toContain('"circuit":"closed"')

    vi.advanceTimersByTime(COOL_DOWN_MS)
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>()
    first.script = async (res) => {
      await released
      json('{"id":"probe"}')(res)
    }
    const came = first.nextRequest()
    const probe = setting.send(CHAT, asking('breaks-1'))
    await came
    const others = await Promise.all(
      Array.from({ length: 5 }, async () => (await setting.send(CHAT, asking('breaks-1'))).status),
    )
    expect(new Set(others)).toEqual(new Set([503]))
    expect(first.seen.length).toBe(3)
    release(undefined)
    expect((await probe).status).toBe(200)
    expect((await setting.send(CHAT, asking('breaks-1'))).status).toBe(200)
    expect(setting.logged()).toContain('"circuit":"closed","provider":"openai"')
  })
})
