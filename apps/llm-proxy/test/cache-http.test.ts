import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { chunk, DONE, json, startScriptedUpstream, stream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

const CHAT = '/openai/v1/chat/completions'
const folder = mkdtempSync(join(tmpdir(), 'cache-'))
let upstream: ScriptedUpstream
let setting: KeyedSetting

beforeAll(async () => {
  upstream = await startScriptedUpstream()
  const file = join(folder, 'providers.json')
  const breaker = { failures: 2, cool_down_ms: 60_000 }
  writeFileSync(file, JSON.stringify({ routes: [{ match: { model: 'breaks' }, breaker }] }))
  const environment = { RESPONSE_CACHE: 'on', PROVIDERS_FILE: file }
  setting = await startKeyedSetting(
    { openai: upstream.url, anthropic: upstream.url, mistral: upstream.url },
    environment,
  )
  for (const as of ['alice', 'bob']) {
    await setting.addKey({ provider: 'openai', key: `sk-key-of-${as}-0123456789abcdef`, as })
  }
  for (const provider of ['anthropic', 'mistral'])
    await setting.addKey({ provider, key: 'sk-key-of-alice-0123456789abcdef' })
})
afterAll(async () => {
  await setting.close()
  await upstream.close()
  rmSync(folder, { recursive: true })
})
afterEach(() => {
  vi.useRealTimers()
})
beforeEach(() => {
  upstream.seen.length = 0
})

const asking = (content: string, more = {}) =>
  JSON.stringify({ model: 'gpt-x', messages: [{ role: 'user', content }], ...more })
async function ask(body: string, options?: Parameters<KeyedSetting['send']>[2]) {
  const answer = await setting.send(CHAT, body, options)
  return [answer.headers.get('x-waybill-cache'), answer.status, await answer.text()]
}
const numbered = () => {
  upstream.script = (res) => json(`{ "id":"${String(upstream.seen.length)}" }`)(res)
}

describe('the cache of answers, switched on', () => {
  it('gives a user the same bytes again without asking the provider, and nobody else', async () => {
    numbered()
    expect(await ask(asking('a'))).toEqual(['miss', 200, '{ "id":"1" }'])
    expect(await ask(asking('a'))).toEqual(['hit', 200, '{ "id":"1" }'])
    expect(await ask(asking('a'), { as: 'bob' })).toEqual(['miss', 200, '{ "id":"2" }'])
    expect(await ask(asking('a'))).toEqual(['hit', 200, '{ "id":"1" }'])
    expect(upstream.seen.length).toBe(2)
  })

  it('gives nothing that the key before was answered, once another secret has its place', async () => {
    numbered()
    await setting.addKey({ provider: 'openai', key: 'sk-key-of-carol-0123456789abcdef', as: 'carol' })
    const carol = { as: 'carol' }
    await ask(asking('r'), carol)
    expect((await ask(asking('r'), carol))[0]).toBe('hit')
    const token = { Authorization: `Bearer ${await setting.tokenOf('carol')}` }
    const { keys } = (await (await fetch(`${setting.url}/keys`, { headers: token })).json()) as {
      keys: { id: string }[]
    }
    const rotated = await setting.post(
      `/keys/${keys[0]!.id}/rotate`,
      { key: 'sk-other-of-carol-0123456789abcdef' },
      'carol',
    )
    expect(rotated.status).toBe(200)
    expect(await ask(asking('r'), carol)).toEqual(['miss', 200, '{ "id":"2" }'])
    expect(upstream.seen.at(-1)!.headers.authorization).toBe('Bearer sk-other-of-carol-0123456789abcdef')
  })

  it('names who had answered, as an answer that is no repetition does', async () => {
    numbered()
    for (const cached of ['miss', 'hit']) {
      const { headers } = await setting.send(CHAT, asking('who'))
      expect([headers.get('x-waybill-cache'), headers.get('x-waybill-provider')]).toEqual([cached, 'openai'])
    }
  })

  it('keeps a stream whole, and none that broke', async () => {
    const frames = [chunk('Hel'), chunk('lo'), DONE]
    upstream.script = stream(frames.slice(0, 1), { then: 'cut' })
    const body = asking('b', { stream: true })
    const broken = await setting.send(CHAT, body)
    await broken.text().catch(() => undefined)
    upstream.script = stream(frames)
    expect(await ask(body)).toEqual(['miss', 200, frames.join('')])
    expect(await ask(body)).toEqual(['hit', 200, frames.join('')])
    expect(upstream.seen.length).toBe(2)
  })

  it('keeps no stream in which the provider says that it failed', async () => {
    const error = 'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
    upstream.script = stream([chunk('Hel'), error, DONE])
    const body = asking('failed', { stream: true })
    await ask(body)
    expect(await ask(body)).toEqual(['miss', 200, chunk('Hel') + error + DONE])
  })

  it('answers nobody with what was told another way: what the client sent is the key', async () => {
    const events = [
      { type: 'message_start', message: { id: 'm', model: 'c', usage: { input_tokens: 3 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ]
    upstream.script = stream(
      events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
    )
    const told: boolean[] = []
    for (const include_usage of [false, true]) {
      const options = { model: 'anthropic/c', stream: true, stream_options: { include_usage } }
      const answer = await setting.send('/v1/chat/completions', asking('t', options))
      told.push((await answer.text()).includes('"prompt_tokens":3'))
    }
    expect(told).toEqual([false, true])
    expect(upstream.seen).toHaveLength(2)
  })

  it('does not keep errors', async () => {
    upstream.script = json('{"error":{}}', { status: 500 })
    expect(await ask(asking('c'))).toEqual(['miss', 500, '{"error":{}}'])
    numbered()
    expect(await ask(asking('c'))).toEqual(['miss', 200, '{ "id":"2" }'])
  })

  it('does not keep what is no JSON, whatever its head says', async () => {
    upstream.script = json('{"id":')
    expect(await ask(asking('g'))).toEqual(['miss', 200, '{"id":'])
    numbered()
    expect(await ask(asking('g'))).toEqual(['miss', 200, '{ "id":"2" }'])
    // Put in Mistral's words, and read for /llm.
    const chat = asking('g', { model: 'mistral/m' })
    upstream.script = json('<html>busy')
    expect((await setting.send('/llm', chat)).status).toBe(502)
    const message = { role: 'assistant', content: 'Hi' }
    upstream.script = json(
      JSON.stringify({ id: 'x', model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }] }),
    )
    expect((await setting.send('/llm', chat)).status).toBe(200)
  })

  it('heeds Cache-Control: no-store is not kept, no-cache is not read', async () => {
    numbered()
    const withHeader = (value: string) => ask(asking('d'), { headers: { 'Cache-Control': value } })
    expect(await withHeader('no-store')).toEqual([null, 200, '{ "id":"1" }'])
    expect(await ask(asking('d'))).toEqual(['miss', 200, '{ "id":"2" }'])
    expect(await withHeader('no-cache')).toEqual(['miss', 200, '{ "id":"3" }'])
    expect(await ask(asking('d'))).toEqual(['hit', 200, '{ "id":"3" }'])
  })

  it('closes no circuit: an answer from it says nothing of the provider', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const [kept, failing] = [asking('e', { model: 'breaks' }), asking('f', { model: 'breaks' })]
    numbered()
    await ask(kept)
    upstream.script = json('{}', { status: 500 })
    for (const _ of [1, 2]) await ask(failing)
    vi.advanceTimersByTime(60_000)
    expect(await ask(kept)).toEqual(['hit', 200, '{ "id":"1" }'])
    // The probe, and then nobody.
    expect(await ask(failing)).toEqual(['miss', 500, '{}'])
    expect((await ask(failing))[1]).toBe(503)
  })
})
