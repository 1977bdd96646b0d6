import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunk, startScriptedUpstream, stream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

let upstream: ScriptedUpstream
let setting: KeyedSetting
beforeAll(async () => {
  upstream = await startScriptedUpstream()
  const urls = { openai: upstream.url, anthropic: upstream.url }
  setting = await startKeyedSetting(urls, { RESPONSE_CACHE: 'on', MAX_FRAME_BYTES: '1024' })
  for (const provider of ['openai', 'anthropic'])
    await setting.addKey({ provider, key: 'sk-key-of-alice-0123456789abcdef' })
})
afterAll(async () => {
  await setting.close()
  await upstream.close()
})

const event = (data: { type: string; [member: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const BEGINNING = [
  event({ type: 'message_start', message: { id: 'm', model: 'c', usage: { input_tokens: 3 } } }),
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } }),
  event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } }),
]

/** What a client gets that asks `model` for a stream, and whether it ends as HTTP says that an answer ends. */
async function asked(model: string, content: string, pieces: readonly string[]) {
  upstream.script = stream(pieces)
  const more = { stream: true, stream_options: { include_usage: true } }
  const body = JSON.stringify({ model, messages: [{ role: 'user', content }], ...more })
  const answer = await setting.send('/v1/chat/completions', body)
  let text = ''
  let clean = true
  try {
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) text += piece
  } catch {
    clean = false
  }
  return { cached: answer.headers.get('x-waybill-cache'), text, clean }
}

describe('a translated stream whose last frame lacks its empty line', () => {
  it.each(['\n', ''])('has its usage and its end mark, and so has its copy (%j)', async (end) => {
    const content = `whole ${JSON.stringify(end)}`
    const last = `event: message_stop\ndata: {"type":"message_stop"}${end}`
    const { cached, text, clean } = await asked('anthropic/c', content, [...BEGINNING, last])
    expect([cached, clean]).toEqual(['miss', true])
    expect(text).toMatch(/"choices":\[\],"usage":\{[^\n]*"prompt_tokens":3[^\n]*\n\ndata: \[DONE\]\n\n$/)
    expect(await asked('anthropic/c', content, [])).toEqual({ cached: 'hit', text, clean })
  })

  it('ends with an error when that frame cannot be read', async () => {
    const { text, clean } = await asked('anthropic/c', 'garbled', [...BEGINNING, 'data: {"type":'])
    expect(clean).toBe(false)
    expect(text).not.toContain('[DONE]')
    expect(text).toMatch(/data: \{"error":\{[^\n]*cannot be read[^\n]*\n\n$/)
  })
})

it('a last frame that is too large ends a stream with an error, be it by its empty line alone', async () => {
  const frame = `data: ${'x'.repeat(1024 - 'data: '.length)}`
  const { text, clean } = await asked('openai/gpt-x', 'large', [chunk('a'), frame])
  expect(clean).toBe(false)
  expect(text).toMatch(/data: \{"error":\{[^\n]*MAX_FRAME_BYTES[^\n]*\n\n$/)
})
