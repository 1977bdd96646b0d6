import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokensOf } from '../src/usage/used-tokens.ts'
import { chunk, DONE, json, stream } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const OPENAI = '/openai/v1/chat/completions'
const ANTHROPIC = '/anthropic/v1/messages'
const GEMINI = '/gemini/v1beta/models/flash:streamGenerateContent?alt=sse'
/** 40 bytes: 10 tokens by the estimate. */
const TEXT = 'What is written here has forty bytes. ..'
const named = (event: { type: string; [member: string]: unknown }) =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
const begins = (outputTokens: number) =>
  named({
    type: 'message_start',
    message: { id: 'm', usage: { input_tokens: 7, output_tokens: outputTokens } },
  })
const says = named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: TEXT } })
const gemini = (usageMetadata: object, more = {}) =>
  `data: ${JSON.stringify({ candidates: [{ content: { parts: [{ text: TEXT }] }, ...more }], usageMetadata })}\n\n`

async function used(path: string, script: RelaySetting['upstream']['script'], body: object = {}) {
  setting.upstream.script = script
  const answer = await setting.send(path, JSON.stringify({ model: 'm', stream: true, ...body }))
  await answer.text().catch(() => undefined)
  const { call, ended } = setting.metered.at(-1)!
  const { output, estimated } = tokensOf(call, await ended)
  return { output, estimated }
}

describe('of a stream that breaks off the larger counts: what the provider has counted so far, or the estimate', () => {
  it.each([
    ['Anthropic, that began to count', ANTHROPIC, [begins(1), says, says], { output: 20, estimated: true }],
    [
      'Anthropic, that failed',
      ANTHROPIC,
      [begins(1), says, named({ type: 'error', error: {} })],
      { output: 10, estimated: true },
    ],
    ['Anthropic, that counted more', ANTHROPIC, [begins(99), says], { output: 99, estimated: false }],
    [
      'Gemini, that counted its input',
      GEMINI,
      [gemini({ promptTokenCount: 7 })],
      { output: 10, estimated: true },
    ],
    [
      'Gemini, that counts as it goes',
      GEMINI,
      [gemini({ promptTokenCount: 7, candidatesTokenCount: 12 })],
      { output: 12, estimated: false },
    ],
    ['OpenAI, that counts at the end', OPENAI, [chunk(TEXT), chunk(TEXT)], { output: 20, estimated: true }],
  ])('%s', async (_, path, pieces, expected) => {
    expect(await used(path, stream(pieces, { then: 'cut' }))).toEqual(expected)
  })

  it('and at its end what the provider says, be it less', async () => {
    const pieces = [
      begins(1),
      says,
      named({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } }),
      named({ type: 'message_stop' }),
    ]
    expect(await used(ANTHROPIC, stream(pieces))).toEqual({ output: 3, estimated: false })
    const last = gemini({ promptTokenCount: 7, candidatesTokenCount: 3 }, { finishReason: 'STOP' })
    expect(await used(GEMINI, stream([last]))).toEqual({ output: 3, estimated: false })
  })
})

describe('an answer of which nobody counts the tokens is four bytes of its text a token', () => {
  const message = { role: 'assistant', content: TEXT, reasoning_content: TEXT }
  const whole = JSON.stringify({
    id: 'x'.repeat(999),
    choices: [{ index: 0, message, finish_reason: 'stop' }],
  })

  it('whether it streams or not', async () => {
    const pieces = [...Array.from(TEXT + TEXT, (one) => chunk(one)), DONE]
    expect(await used(OPENAI, stream(pieces))).toEqual({ output: 20, estimated: true })
    expect(await used(OPENAI, json(whole), { stream: false })).toEqual({ output: 20, estimated: true })
  })

  it('or breaks off', async () => {
    const half = whole.slice(0, whole.lastIndexOf(TEXT))
    const script: RelaySetting['upstream']['script'] = (res) => {
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': whole.length })
      res.write(half, () => res.destroy())
    }
    expect(await used(OPENAI, script, { stream: false })).toEqual({ output: 10, estimated: true })
  })
})
