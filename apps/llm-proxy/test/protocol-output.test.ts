import { describe, expect, it } from 'vitest'
import { anthropicProtocol } from '../src/protocols/anthropic.ts'
import { geminiProtocol } from '../src/protocols/gemini.ts'
import { openAiProtocol } from '../src/protocols/openai.ts'
import { createOutputText } from '../src/protocols/output-text.ts'
import type { Protocol } from '../src/protocols/protocol.ts'

const CHAT = '/v1/chat/completions'

function streamed(protocol: Protocol, path: string, frames: readonly object[]) {
  const output = createOutputText()
  const observer = output.reading(protocol).observeStream(path)
  const plain = protocol.observeStream(path)
  for (const frame of frames) {
    const { type = '' } = frame as { type?: string } // OpenAI's chunks have none
    observer.frame(type, JSON.stringify(frame))
    plain.frame(type, JSON.stringify(frame))
  }
  expect(observer.observed()).toEqual(plain.observed())
  expect(observer.ended()).toBe(plain.ended())
  return output.text()
}

describe('what a model wrote', () => {
  it('is kept of streams, in each protocol, without what it thinks', () => {
    const chunk = (delta: object) => ({ id: 'c', choices: [{ index: 0, delta }] })
    expect(streamed(openAiProtocol, CHAT, [chunk({ content: 'He' }), chunk({ content: 'llo' })])).toBe(
      'Hello',
    )
    const response = { object: 'response', output: [{ content: [{ type: 'output_text', text: 'Hello' }] }] }
    const responses = [
      { type: 'response.output_text.delta', delta: 'Hello' },
      { type: 'response.completed', response },
    ]
    expect(streamed(openAiProtocol, '/v1/responses', responses)).toBe('Hello')
    const block = (delta: object) => ({ type: 'content_block_delta', index: 0, delta })
    const message = [
      block({ type: 'thinking_delta', thinking: 'hm' }),
      block({ type: 'text_delta', text: 'Hello' }),
    ]
    expect(streamed(anthropicProtocol, '/v1/messages', message)).toBe('Hello')
    const part = (one: object) => ({ candidates: [{ content: { parts: [one] } }] })
    const parts = [part({ text: 'hm', thought: true }), part({ text: 'Hello' })]
    expect(streamed(geminiProtocol, '/v1beta/models/x:streamGenerateContent', parts)).toBe('Hello')
  })

  it.each([
    [openAiProtocol, { choices: [{ message: { content: 'Hello' } }] }],
    [openAiProtocol, { object: 'response', output: [{ content: [{ type: 'output_text', text: 'Hello' }] }] }],
    [
      anthropicProtocol,
      { type: 'message', content: [{ type: 'text', text: 'Hello' }, { type: 'tool_use' }] },
    ],
    [geminiProtocol, [{ candidates: [{ content: { parts: [{ text: 'Hel' }, { text: 'lo' }] } }] }]],
  ])('is kept of whole answers: %#', (protocol, body) => {
    const output = createOutputText()
    expect(output.reading(protocol).readAnswer(body)).toEqual(protocol.readAnswer(body))
    expect(output.text()).toBe('Hello')
  })

  it('is kept up to 16,384 characters', () => {
    const long = { choices: [{ delta: { content: 'x'.repeat(10_000) } }] }
    expect(streamed(openAiProtocol, CHAT, [long, long, long])).toHaveLength(16_384)
  })
})
