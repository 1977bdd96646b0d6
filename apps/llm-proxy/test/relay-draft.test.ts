import { expect, it } from 'vitest'
import { anthropicProtocol } from '../src/protocols/anthropic.ts'
import { geminiProtocol } from '../src/protocols/gemini.ts'
import { openAiProtocol } from '../src/protocols/openai.ts'
import { readDraft } from '../src/relay/draft.ts'
import { wirePath } from '../src/relay/upstream-url.ts'
import { withoutUsage } from '../src/relay/usage-filter.ts'

const read = (text: string) => readDraft(Buffer.from(text))

it.each([
  '{"model":"cheap","Model":"dear"}',
  '{"Model":"dear"}',
  '{"model":"m","STREAM":true}',
  '{"model":"m","\u017ftream":true}',
  '{"model":"m","stream":true,"stream_options":{"Include_Usage":false}}',
  '{"model":"m","background":true,"background":false}',
  '{"model":"m","Background":true}',
  '{"model":"m","deferred":true,"deferred":false}',
])('a member that we judge by stands there once, as it is written: %s', (text) => {
  expect(() => read(text)).toThrow(/is to be written|twice/)
})

it.each([
  '{"model":"m","API_BASE":"http://x"}',
  '{"model":"m","api_\u212aey":"http://x"}',
  '{"model":"m","fallbacks":[{"model":"n","api_base":"http://x"}]}',
  '{"model":"m","fallbacks":[{"api_base":"http://x"}],"fallbacks":[]}',
  '{"model":"m","litellm_params":{"base_url":"http://x"}}',
  '{"model":"m","model_list":[{"litellm_params":{"api_base":"http://x"}}]}',
  '{"model":"m","extra_body":{"api_key":"k"}}',
  '{"model":"m","user_config":{}}',
])('where a request goes is not for its body to say, nor for a fallback in it: %s', (text) => {
  expect(() => read(text)).toThrow('where a request goes')
})

it('what people say, and what schemas ask for, may be named as they like', () => {
  const schema = { type: 'object', properties: { api_key: { type: 'string' }, base_url: {} } }
  const body = {
    model: 'm',
    messages: [{ role: 'user', content: 'c', api_key: 'k' }],
    tools: [{ type: 'function', function: { name: 'f', parameters: schema } }],
    response_format: { type: 'json_schema', json_schema: { name: 's', schema } },
    generationConfig: { responseSchema: schema },
    format: schema,
    metadata: { base_url: 'http://x' },
    stop: ['"api_base":'],
  }
  expect(read(JSON.stringify(body)).body).toEqual(body)
})

it.each([
  [openAiProtocol, '/v1/chat/completion%73', 'chat'],
  [openAiProtocol, '/v1/%63hat%2Fcompletions', 'chat'],
  [openAiProtocol, '/v1/x%ff/chat/completion%73', 'chat'],
  [geminiProtocol, '/v1beta/models/x%3AgenerateContent', 'generate_content'],
  [geminiProtocol, '/v1beta/model%73/x:generateConten%74', 'generate_content'],
  [anthropicProtocol, '/v1/m%65ssages/', 'chat'],
] as const)('a path is judged as it is read, and not as it is spelled: %#', (protocol, path, operation) => {
  expect(protocol.operationOf(path)).toBe(operation)
  if (operation === 'generate_content') expect(protocol.modelIn(path)).toBe('x')
})

it.each(['/openai/v1/%', '/openai/v1/%zz', '/openai/v1/x%00', '/openai/v1/x%0a'])(
  'a path whose encoding nobody can read is refused: %s',
  (url) => {
    expect(() => wirePath(url, '/openai')).toThrow('not accepted')
  },
)

it('a frame with the usage that we asked for stays where it says an error too', () => {
  const frame = (data: string) => ({ raw: Buffer.from(`data: ${data}\n\n`), data })
  const usage = '"choices":[],"usage":{"prompt_tokens":1}'
  expect(withoutUsage(frame(`{${usage}}`))).toBeUndefined()
  const failing = frame(`{"error":{"message":"x"},${usage}}`)
  expect(withoutUsage(failing)).toBe(failing.raw)
})
