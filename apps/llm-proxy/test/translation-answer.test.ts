import { Problem } from '@waybill/service-kit'
import { describe, expect, it } from 'vitest'
import { createFrameSplitter } from '../src/protocols/sse.ts'
import { translateChat } from '../src/translation/anthropic-chat.ts'

function translation(chat: object = {}) {
  const bytes = Buffer.from(
    JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x' }], ...chat }),
  )
  return translateChat(bytes, 'm', { defaultMaxTokens: 10 })
}

const usage = {
  input_tokens: 3,
  cache_read_input_tokens: 4,
  cache_creation_input_tokens: 5,
  output_tokens: 6,
}
const message = (content: object[], more: object = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-x-2026',
  content,
  stop_reason: 'end_turn',
  usage,
  ...more,
})
const text = (value: string) => ({ type: 'text', text: value })

/** As far as it is read here. */
interface Completion {
  choices: {
    message: { refusal: unknown }
    delta: { tool_calls?: object[] }
    finish_reason: string | null
  }[]
  usage?: object | null
}

function completionOf(answer: object | string): Completion {
  const body = typeof answer === 'string' ? answer : JSON.stringify(answer)
  return JSON.parse(translation().answer(Buffer.from(body)).toString()) as Completion
}

describe("Anthropic's answer as a chat completion", () => {
  it('has all members that a chat completion has', () => {
    expect(
      completionOf(message([{ type: 'thinking', thinking: 'hm' }, text('Hello'), text(' there')])),
    ).toEqual({
      id: 'msg_1',
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'claude-x-2026',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello there', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 12,
        completion_tokens: 6,
        total_tokens: 18,
        prompt_tokens_details: { cached_tokens: 4 },
      },
    })
  })

  it('calls tools with arguments as text, to the last digit', () => {
    const answer =
      '{"type":"message","id":"m","model":"m","stop_reason":"tool_use","content":[{"type":"tool_use","id":"t1","name":"f",' +
      '"input":{"id":9007199254740993}},{"type":"tool_use","id":"t2","name":"g","input":{}}]}'
    const { choices } = completionOf(answer)
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: null,
        tool_calls: [
          { id: 't1', type: 'function', function: { name: 'f', arguments: '{"id":9007199254740993}' } },
          { id: 't2', type: 'function', function: { name: 'g', arguments: '{}' } },
        ],
      },
    })
  })

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
  ])('ends with %s as %s', (stop_reason, finish_reason) => {
    const [choice] = completionOf(message([text('x')], { stop_reason })).choices
    expect(choice?.finish_reason).toBe(finish_reason)
    expect(choice?.message.refusal === null).toBe(stop_reason !== 'refusal')
  })

  it.each(['<html>', '{"type":"completion"}', '', 'null'])(
    'is a failure of the provider when it is %j',
    (body) => {
      expect(() => translation().answer(Buffer.from(body))).toThrow(Problem)
    },
  )

  it('keeps the type and the message of an error', () => {
    const error = (status: number, body: string) =>
      JSON.parse(translation().errorAnswer(status, Buffer.from(body)).toString()) as object
    const overloaded = {
      type: 'error',
      error: { type: 'overloaded_error', message: 'Overloaded' },
      request_id: 'r',
    }
    expect(error(529, JSON.stringify(overloaded))).toEqual({
      error: { message: 'Overloaded', type: 'overloaded_error', param: null, code: null },
    })
    expect(error(502, '<html>secret address</html>')).toEqual({
      error: {
        message: expect.stringContaining('502'),
        type: 'server_error',
        param: null,
        code: 'upstream_failed',
      },
    })
  })
})

type Frame = [event: string, data: object]
const frame = (data: { type: string; [member: string]: unknown }): Frame => [data.type, data]
const start = frame({
  type: 'message_start',
  message: message([], { stop_reason: null, usage: { ...usage, output_tokens: 1 } }),
})
const block = (index: number, content_block: object) =>
  frame({ type: 'content_block_start', index, content_block })
const delta = (index: number, piece: object) => frame({ type: 'content_block_delta', index, delta: piece })
const stop = (index: number) => frame({ type: 'content_block_stop', index })
const end = (stop_reason: string, output_tokens = 6, more: object = {}): Frame[] => [
  frame({ type: 'message_delta', delta: { stop_reason, ...more }, usage: { output_tokens } }),
  frame({ type: 'message_stop' }),
]

/** The `data` of the client's frames. */
function streamed(frames: readonly Frame[], chat: object = {}): string[] {
  const stream = translation({ stream: true, ...chat }).startStream()
  const out = frames.map(([event, data]) => stream.frame(event, JSON.stringify(data))).join('')
  const splitter = createFrameSplitter({ maxFrameBytes: 1e6 })
  const data = splitter.push(Buffer.from(out)).map((one) => one.data ?? '')
  expect(splitter.rest()).toHaveLength(0)
  return data
}

function chunksOf(data: readonly string[]): Completion[] {
  return data.filter((one) => one !== '[DONE]').map((one) => JSON.parse(one) as Completion)
}

const texts = [
  start,
  frame({ type: 'ping' }),
  block(0, text('')),
  delta(0, { type: 'text_delta', text: 'Hel' }),
  delta(0, { type: 'text_delta', text: 'lo' }),
  stop(0),
]

describe("Anthropic's stream as chat completion chunks", () => {
  it('begins with the role and ends with a reason and [DONE]', () => {
    const data = streamed([...texts, ...end('end_turn')])
    const chunks = chunksOf(data)
    expect(data.at(-1)).toBe('[DONE]')
    expect(chunks.map(({ choices }) => [choices[0]?.delta, choices[0]?.finish_reason])).toEqual([
      [{ role: 'assistant', content: '', refusal: null }, null],
      [{ content: 'Hel' }, null],
      [{ content: 'lo' }, null],
      [{}, 'stop'],
    ])
    for (const one of chunks) {
      expect(one).toMatchObject({ id: 'msg_1', object: 'chat.completion.chunk', model: 'claude-x-2026' })
      expect(one).not.toHaveProperty('usage')
    }
  })

  it('counts its tokens in a chunk of their own, only when asked to', () => {
    const chunks = chunksOf(
      streamed([...texts, ...end('max_tokens')], { stream_options: { include_usage: true } }),
    )
    expect(chunks.slice(0, -1).map((one) => one.usage)).toEqual([null, null, null, null])
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18 },
    })
  })

  it('numbers tool calls by themselves, whatever blocks stand between them', () => {
    const data = streamed([
      start,
      block(0, { type: 'thinking', thinking: '' }),
      delta(0, { type: 'thinking_delta', thinking: 'hm' }),
      delta(0, { type: 'signature_delta', signature: 's' }),
      stop(0),
      block(1, { type: 'tool_use', id: 't1', name: 'f', input: {} }),
      delta(1, { type: 'input_json_delta', partial_json: '' }),
      delta(1, { type: 'input_json_delta', partial_json: '{"a":9007199' }),
      delta(1, { type: 'input_json_delta', partial_json: '254740993}' }),
      stop(1),
      block(2, { type: 'tool_use', id: 't2', name: 'g', input: {} }),
      delta(2, { type: 'input_json_delta', partial_json: '' }),
      stop(2),
      ...end('tool_use'),
    ])
    const calls = chunksOf(data).flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
    expect(calls).toEqual([
      { index: 0, id: 't1', type: 'function', function: { name: 'f', arguments: '' } },
      { index: 0, function: { arguments: '{"a":9007199' } },
      { index: 0, function: { arguments: '254740993}' } },
      { index: 1, id: 't2', type: 'function', function: { name: 'g', arguments: '' } },
      { index: 1, function: { arguments: '{}' } },
    ])
    expect(chunksOf(data).at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('says that the model declined', () => {
    const chunks = chunksOf(
      streamed([start, ...end('refusal', 0, { stop_details: { explanation: 'Not this.' } })]),
    )
    expect(chunks.at(-1)?.choices[0]).toMatchObject({
      delta: { refusal: 'Not this.' },
      finish_reason: 'content_filter',
    })
  })

  it('ends with an error midway, and says nothing after it', () => {
    const error = { type: 'overloaded_error', message: 'Overloaded' }
    const data = streamed([...texts, frame({ type: 'error', error }), ...end('end_turn')])
    expect(JSON.parse(data.at(-1)!)).toEqual({
      error: { message: 'Overloaded', type: 'overloaded_error', param: null, code: null },
    })
    expect(data).not.toContain('[DONE]')
  })

  it('passes over events that it does not know, and breaks off at what is no JSON', () => {
    const stream = translation({ stream: true }).startStream()
    expect(stream.frame('news', '{"type":"news"}')).toBe('')
    expect(() => stream.frame('content_block_delta', '{"type":')).toThrow(Problem)
  })
})
