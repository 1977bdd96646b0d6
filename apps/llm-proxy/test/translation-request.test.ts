import { Problem } from '@waybill/service-kit'
import { describe, expect, it } from 'vitest'
import { translateChat } from '../src/translation/anthropic-chat.ts'

const hi = { role: 'user', content: 'hi' }

/** What goes to Anthropic for a chat completion request. */
function messagesOf(chat: object): Record<string, unknown> {
  const bytes = Buffer.from(JSON.stringify({ model: 'anthropic/claude-x', messages: [hi], ...chat }))
  const { body } = translateChat(bytes, 'claude-x', { defaultMaxTokens: 1234 })
  return JSON.parse(body.toString()) as Record<string, unknown>
}

function refusalOf(chat: object): { param: unknown; detail: string; status: number } {
  try {
    messagesOf(chat)
  } catch (error) {
    if (error instanceof Problem) {
      return { param: error.extensions.param, detail: error.message, status: error.status }
    }
    throw error
  }
  throw new Error('It was not refused.')
}

const text = (value: string) => ({ type: 'text', text: value })
const tool = {
  type: 'function',
  function: { name: 'weather', description: 'd', parameters: { type: 'object' } },
}
const said = { name: 'weather', description: 'd', input_schema: { type: 'object' } }

describe('a chat completion request that goes to Anthropic', () => {
  it('says its model, its messages, and as many tokens as are configured', () => {
    expect(messagesOf({})).toEqual({
      model: 'claude-x',
      max_tokens: 1234,
      messages: [{ role: 'user', content: [text('hi')] }],
    })
  })

  it.each([
    [{ max_tokens: 5 }, { max_tokens: 5 }],
    [{ max_tokens: 5, max_completion_tokens: 6 }, { max_tokens: 6 }],
    [
      { temperature: 0.5, top_p: 0.9 },
      { temperature: 0.5, top_p: 0.9 },
    ],
    [{ stop: 'END' }, { stop_sequences: ['END'] }],
    [{ stop: ['a', 'b'] }, { stop_sequences: ['a', 'b'] }],
    [{ stream: true, stream_options: { include_usage: true } }, { stream: true }],
    [{ metadata: { user_id: 'u1' } }, { metadata: { user_id: 'u1' } }],
    [{ user: 'u2' }, { metadata: { user_id: 'u2' } }],
    [{ reasoning_effort: 'minimal' }, { output_config: { effort: 'low' } }],
    [{ reasoning_effort: 'xhigh' }, { output_config: { effort: 'xhigh' } }],
    [
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'n', strict: true, schema: { type: 'object' } },
        },
      },
      { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    ],
    [{ service_tier: 'default' }, { service_tier: 'standard_only' }],
    [{ tools: [tool] }, { tools: [said] }],
    [
      { tools: [{ type: 'function', function: { name: 'now', strict: true } }] },
      { tools: [{ name: 'now', strict: true, input_schema: { type: 'object', properties: {} } }] },
    ],
    [
      { tools: [tool], tool_choice: 'auto' },
      { tools: [said], tool_choice: { type: 'auto' } },
    ],
    [
      { tools: [tool], tool_choice: 'required' },
      { tools: [said], tool_choice: { type: 'any' } },
    ],
    [
      { tools: [tool], tool_choice: 'none', parallel_tool_calls: false },
      { tools: [said], tool_choice: { type: 'none' } },
    ],
    [
      { tools: [tool], tool_choice: { type: 'function', function: { name: 'weather' } } },
      { tools: [said], tool_choice: { type: 'tool', name: 'weather' } },
    ],
    [
      { tools: [tool], parallel_tool_calls: false },
      { tools: [said], tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    ],
  ])('says %j as %j', (chat, expected) => {
    const { model: _, messages: __, max_tokens: tokens, ...rest } = messagesOf(chat)
    expect({ ...rest, ...('max_tokens' in expected && { max_tokens: tokens }) }).toEqual(expected)
  })

  it.each([
    { n: 1, logprobs: false, frequency_penalty: 0, presence_penalty: 0, logit_bias: {}, store: false },
    { temperature: null, tools: null, stop: null, audio: null, response_format: { type: 'text' } },
    {
      seed: 7,
      prompt_cache_key: 'k',
      metadata: { team: 'x' },
      reasoning_effort: 'none',
      tools: [],
      functions: [],
    },
    { parallel_tool_calls: true, modalities: ['text'], verbosity: 'medium', stream: false },
  ])('leaves out what changes nothing: %j', (chat) => {
    expect(messagesOf(chat)).toEqual(messagesOf({}))
  })

  it.each([
    ['n', { n: 2 }],
    ['logprobs', { logprobs: true }],
    ['frequency_penalty', { frequency_penalty: 0.1 }],
    ['presence_penalty', { presence_penalty: -1 }],
    ['logit_bias', { logit_bias: { '50256': -100 } }],
    ['temperature', { temperature: 1.5 }],
    ['audio', { audio: { voice: 'alloy' } }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['functions', { functions: [{ name: 'f' }] }],
    ['response_format', { response_format: { type: 'json_object' } }],
    ['reasoning_effort', { reasoning_effort: 'constructor' }],
    ['service_tier', { service_tier: 'flex' }],
    ['store', { store: true }],
    ['web_search_options', { web_search_options: {} }],
    ['not_a_member', { not_a_member: 1 }],
    ['constructor', { constructor: 1 }],
    ['tool_choice', { tools: [tool], tool_choice: { type: 'allowed_tools' } }],
    ['tools[1].type', { tools: [tool, { type: 'custom', custom: { name: 'c' } }] }],
    ['messages[0].role', { messages: [{ role: 'function', name: 'f', content: 'x' }] }],
    ['messages[0].name', { messages: [{ role: 'user', name: 'bob', content: 'x' }] }],
    [
      'messages[0].content[1].type',
      { messages: [{ role: 'user', content: [text('x'), { type: 'input_audio' }] }] },
    ],
    ['messages[0].content[0].type', { messages: [{ role: 'system', content: [{ type: 'image_url' }] }] }],
    [
      'messages[0].content[0].image_url',
      {
        messages: [
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://x.example/a.png' } }] },
        ],
      },
    ],
    [
      'messages[0].content[0].file',
      { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }] },
    ],
    [
      'messages[0].tool_calls[0].function.arguments',
      {
        messages: [
          {
            role: 'assistant',
            tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '[1' } }],
          },
        ],
      },
    ],
    ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }],
  ])('is refused by the name of what cannot be said: %s', (param, chat) => {
    const refusal = refusalOf(chat)
    expect(refusal).toMatchObject({ param, status: 400 })
    expect(refusal.detail).toContain(param)
  })
})

describe('the messages of a chat completion request', () => {
  it('put instructions first, wherever they stood', () => {
    const messages = [{ role: 'system', content: 'a' }, hi, { role: 'developer', content: [text('b')] }]
    expect(messagesOf({ messages })).toMatchObject({
      system: [text('a'), text('b')],
      messages: [{ role: 'user', content: [text('hi')] }],
    })
  })

  it('say images and documents', () => {
    const content = [
      text('what?'),
      { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0=', detail: 'high' } },
      { type: 'image_url', image_url: { url: 'https://x.example/a,b.png' } },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
    ]
    expect(messagesOf({ messages: [{ role: 'user', content }] }).messages).toEqual([
      {
        role: 'user',
        content: [
          text('what?'),
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0=' } },
          { type: 'image', source: { type: 'url', url: 'https://x.example/a,b.png' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' },
            title: 'a.pdf',
          },
        ],
      },
    ])
  })

  it('give the results of parallel tools in one turn, and what the user adds behind them', () => {
    const call = (id: string, given: string) => ({
      id,
      type: 'function',
      function: { name: 'f', arguments: given },
    })
    const messages = [
      hi,
      {
        role: 'assistant',
        content: null,
        refusal: null,
        annotations: [],
        tool_calls: [call('1', '{"a":1}'), call('2', '')],
      },
      { role: 'tool', tool_call_id: '1', content: 'one', name: 'f' },
      { role: 'tool', tool_call_id: '2', content: [text('two')] },
      { role: 'user', content: 'go on' },
      { role: 'assistant', content: '' },
    ]
    expect(messagesOf({ messages }).messages).toEqual([
      { role: 'user', content: [text('hi')] },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: '1', name: 'f', input: { a: 1 } },
          { type: 'tool_use', id: '2', name: 'f', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: '1', content: [text('one')] },
          { type: 'tool_result', tool_use_id: '2', content: [text('two')] },
          text('go on'),
        ],
      },
    ])
  })

  it('keep every digit of a number, in arguments and in schemas', () => {
    const bytes = Buffer.from(
      '{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f",' +
        '"arguments":"{\\"id\\":9223372036854775807,\\"e\\":1e400}"}}]}],"tools":[{"type":"function","function":{"name":"f",' +
        '"parameters":{"type":"object","properties":{"id":{"type":"integer","maximum":9223372036854775807}}}}}]}',
    )
    const body = translateChat(bytes, 'm', { defaultMaxTokens: 1 }).body.toString()
    expect(body).toContain('"input":{"id":9223372036854775807,"e":1e400}')
    expect(body).toContain('"maximum":9223372036854775807')
  })
})
