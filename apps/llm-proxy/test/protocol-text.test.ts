import { describe, expect, it } from 'vitest'
import { anthropicProtocol } from '../src/protocols/anthropic.ts'
import { geminiProtocol } from '../src/protocols/gemini.ts'
import { openAiProtocol } from '../src/protocols/openai.ts'
import type { Protocol } from '../src/protocols/protocol.ts'
import { textBytesOf } from '../src/protocols/text-bytes.ts'

const CHAT = '/v1/chat/completions'
const RESPONSES = '/v1/responses'
const MESSAGES = '/v1/messages'
const GEMINI = '/v1beta/models/flash:streamGenerateContent'
const delta = (members: object) => ({
  id: 'chatcmpl-1',
  choices: [{ index: 0, delta: { role: 'assistant', ...members }, finish_reason: null }],
  obfuscation: 'xxxxxxxxxxxx',
})
const called = { index: 0, id: 'call_1', type: 'function', function: { name: 'look', arguments: '12345678' } }
const block = (members: object) => ({ type: 'content_block_delta', index: 0, delta: members })
const parts = (...list: object[]) => ({ candidates: [{ content: { role: 'model', parts: list } }] })

describe('the bytes that a model writes are counted while they stream, in each protocol', () => {
  it.each<[Protocol, path: string, frames: [event: string, data: object][], bytes: number]>([
    [openAiProtocol, CHAT, [['', delta({ content: '12345678' })]], 8],
    // The first frame is read as a whole, the others are looked through.
    [openAiProtocol, CHAT, Array.from({ length: 3 }, () => ['', delta({ content: 'größer' })]), 24],
    [openAiProtocol, CHAT, [['', delta({ reasoning_content: '12345678', content: null })]], 8],
    [openAiProtocol, CHAT, [['', delta({ tool_calls: [called] })]], 8],
    [openAiProtocol, '/v1/completions', [['', { choices: [{ index: 0, text: '12345678' }] }]], 8],
    [
      openAiProtocol,
      RESPONSES,
      [
        ['response.output_text.delta', { type: 'response.output_text.delta', delta: '1234' }],
        ['', { type: 'response.output_text.delta', delta: '5678' }],
        ['response.output_text.done', { type: 'response.output_text.done', text: '12345678' }],
      ],
      8,
    ],
    [
      anthropicProtocol,
      MESSAGES,
      [
        ['content_block_delta', block({ type: 'thinking_delta', thinking: '12345678' })],
        ['content_block_delta', block({ type: 'text_delta', text: '12345678' })],
        ['content_block_delta', block({ type: 'input_json_delta', partial_json: '{"a":1}' })],
        ['content_block_delta', block({ type: 'signature_delta', signature: 'x'.repeat(400) })],
        ['', block({ type: 'text_delta', text: '1' })],
      ],
      // Escapes as they stand.
      8 + 8 + '{\\"a\\":1}'.length + 1,
    ],
    [anthropicProtocol, '/v1/complete', [['completion', { type: 'completion', completion: '1234' }]], 4],
    [
      geminiProtocol,
      GEMINI,
      [
        ['', parts({ text: '12345678', thought: true }, { text: '12345678' })],
        ['', parts({ functionCall: { args: { text: '1' } } })],
      ],
      8 + 8 + '"text":"1"'.length,
    ],
  ])('%o %s', (protocol, path, frames, bytes) => {
    const observer = protocol.observeStream(path)
    for (const [event, data] of frames) observer.frame(event, JSON.stringify(data))
    expect(observer.textBytes()).toBe(bytes)
  })
})

it.each([
  ['a member that a text only quotes', JSON.stringify({ n: '"content":"12345678"' }), 0],
  ['an object of settings', '{"text":{"format":"json"},"reasoning":{"effort":"high"}}', 0],
  ['vectors', '{"data":[{"embedding":[0.1,0.2]}],"model":"m"}', 0],
  ['a text that breaks off', '{"choices":[{"message":{"content" : "1234', 3],
  ['an object that breaks off', '{"input":{"a":"}', 5],
  ['nothing', '', 0],
])('of JSON with %s as much counts as was written', (_, json, bytes) => {
  expect(textBytesOf(json)).toBe(bytes)
})
