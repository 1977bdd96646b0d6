import { describe, expect, it } from 'vitest'
import { openAiProtocol } from '../src/protocols/openai.ts'

const CHAT = '/v1/chat/completions'
const RESPONSES = '/v1/responses'
const problem = {
  type: 't',
  title: 't',
  status: 502,
  detail: 'It broke.',
  code: 'upstream_failed',
  error: 't',
} as const

function observe(path: string, frames: readonly (object | string | [event: string, data: object])[]) {
  const observer = openAiProtocol.observeStream(path)
  for (const frame of frames) {
    if (typeof frame === 'string') observer.frame('', frame)
    else if (Array.isArray(frame)) observer.frame(frame[0], JSON.stringify(frame[1]))
    else observer.frame('', JSON.stringify(frame))
  }
  return { ...observer.observed(), ended: observer.ended() }
}

const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'gpt-x-2026',
  choices: [{ index: 0, delta, finish_reason }],
  ...more,
})

describe("OpenAI's protocol", () => {
  it.each([
    [CHAT, 'chat'],
    ['/openai/deployments/gpt/chat/completions', 'chat'],
    ['/v1/completions', 'text_completion'],
    ['/v1/embeddings', 'embeddings'],
    [RESPONSES, 'chat'],
    ['/v1/Chat/Completions', 'chat'],
    ['/v1/chat/completions/', 'chat'],
    ['/v1/responses/resp_1', 'other'],
    ['/v1/files', 'other'],
  ])('knows what %s asks for: %s', (path, operation) => {
    expect(openAiProtocol.operationOf(path)).toBe(operation)
  })

  it("reads the model of Azure's deployments out of the path", () => {
    expect(openAiProtocol.modelIn('/openai/deployments/my%20gpt/chat/completions')).toBe('my gpt')
    expect(openAiProtocol.modelIn(CHAT)).toBeUndefined()
  })

  it('reads a stream of chunks with the usage that comes last', () => {
    const usage = { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } }
    const frames = [
      chunk({ role: 'assistant', content: '' }, null, { usage: null }),
      chunk({ content: 'a "finish_reason": "no" b' }, null, { usage: null }),
      chunk({}, 'stop', { usage: null }),
      { ...chunk({}), choices: [], usage },
    ]
    const expected = {
      id: 'chatcmpl-1',
      model: 'gpt-x-2026',
      finishReasons: ['stop'],
      usage: { inputTokens: 9, outputTokens: 3, cachedInputTokens: 4 },
    }
    expect(observe(CHAT, frames)).toEqual({ ...expected, ended: false })
    expect(observe(CHAT, [...frames, '[DONE]'])).toEqual({ ...expected, ended: true })
    // As Python writes JSON.
    expect(
      observe(
        CHAT,
        frames.map((frame) => JSON.stringify(frame, null, 1).replaceAll('\n', ' ')),
      ),
    ).toEqual({ ...expected, ended: false })
  })

  it('reads the usage of Mistral and OpenRouter out of the last chunk with choices', () => {
    const last = chunk({ content: '' }, 'length', { usage: { prompt_tokens: 5, completion_tokens: 2 } })
    expect(observe(CHAT, [chunk({ content: 'a' }), last])).toMatchObject({
      finishReasons: ['length'],
      usage: { inputTokens: 5, outputTokens: 2 },
    })
  })

  it.each([
    ['completed', { status: 'completed' }, ['completed']],
    [
      'incomplete',
      { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
      ['max_output_tokens'],
    ],
    ['failed', { status: 'failed', error: { code: 'server_error', message: 'x' } }, ['failed']],
  ])('reads the events of a response that is %s', (end, more, finishReasons) => {
    const response = { object: 'response', id: 'resp_1', model: 'gpt-x' }
    const usage = {
      ...{ input_tokens: 7, output_tokens: 4, input_tokens_details: { cached_tokens: 1 } },
      output_tokens_details: { reasoning_tokens: 3 },
    }
    const frames: [string, object][] = [
      [
        'response.created',
        { type: 'response.created', response: { ...response, status: 'in_progress', usage: null } },
      ],
      ['response.output_text.delta', { type: 'response.output_text.delta', delta: 'a' }],
      ['response.output_text.done', { type: 'response.output_text.done', text: 'a' }],
    ]
    expect(observe(RESPONSES, frames)).toMatchObject({ id: 'resp_1', ended: false, finishReasons: [] })
    const type = `response.${end}`
    const read = observe(RESPONSES, [...frames, [type, { type, response: { ...response, ...more, usage } }]])
    expect(read).toEqual({
      id: 'resp_1',
      model: 'gpt-x',
      finishReasons,
      usage: { inputTokens: 7, outputTokens: 4, cachedInputTokens: 1, reasoningTokens: 3 },
      ended: true,
      failed: end === 'failed' ? true : undefined,
    })
  })

  it('takes an error of the provider for the end of the stream', () => {
    const failed = { ended: true, failed: true }
    expect(observe(CHAT, [chunk({ content: 'a' }), { error: { message: 'x' } }])).toMatchObject(failed)
    expect(observe(RESPONSES, [['error', { type: 'error', code: 'c', message: 'm' }]])).toMatchObject(failed)
    expect(openAiProtocol.readAnswer({ error: { message: 'x' } }).failed).toBe(true)
  })

  it('keeps one reason of each choice, of sixteen choices at most', () => {
    const ends = Array.from({ length: 40 }, (_, index) => ({ index, finish_reason: `of ${index}` }))
    const frames = [...ends, ...ends].map((choice) => ({ ...chunk({}), choices: [choice] }))
    const sixteen = ends.slice(0, 16).map(({ finish_reason }) => finish_reason)
    expect(observe(CHAT, frames).finishReasons).toEqual(sixteen)
    expect(openAiProtocol.readAnswer({ choices: ends }).finishReasons).toEqual(sixteen)
  })

  it('passes over what it cannot read', () => {
    expect(
      observe(CHAT, ['{"usage":', 'null', '[]', '{"usage":{"prompt_tokens":-1}}', chunk({}, 'stop')]),
    ).toMatchObject({
      finishReasons: ['stop'],
      usage: undefined,
    })
  })

  it('knows no end mark of other streams', () => {
    expect(observe('/v1/audio/speech', []).ended).toBe(true)
  })

  it.each([
    [
      'a chat completion',
      {
        object: 'chat.completion',
        id: 'c',
        model: 'm',
        choices: [{ finish_reason: 'stop' }],
        usage: { prompt_tokens: 1, completion_tokens: 2 },
      },
      1,
      2,
    ],
    [
      'a list of embeddings',
      { object: 'list', model: 'm', data: [], usage: { prompt_tokens: 8, total_tokens: 8 } },
      8,
      0,
    ],
    [
      'a response',
      { object: 'response', model: 'm', status: 'completed', usage: { input_tokens: 3, output_tokens: 4 } },
      3,
      4,
    ],
  ])('reads %s', (_, body, inputTokens, outputTokens) => {
    expect(openAiProtocol.readAnswer(body)).toMatchObject({
      model: 'm',
      usage: { inputTokens, outputTokens },
    })
  })

  it('writes an error frame that names all four members', () => {
    expect(openAiProtocol.errorFrame(problem, CHAT)).toBe(
      'data: {"error":{"message":"It broke.","type":"server_error","param":null,"code":"upstream_failed"}}\n\n',
    )
    const frame = openAiProtocol.errorFrame(problem, RESPONSES)
    expect(frame).toMatch(/^event: error\ndata: .*\n\n$/)
    expect(JSON.parse(frame.slice(frame.indexOf('{')))).toMatchObject({
      type: 'error',
      code: 'upstream_failed',
      message: 'It broke.',
      param: null,
      sequence_number: 0,
    })
  })

  it('numbers the error frame of responses on from the last frame that came', () => {
    const observer = openAiProtocol.observeStream(RESPONSES)
    expect(observer.nextNumber?.()).toBe(0)
    observer.frame('response.created', '{"type":"response.created","sequence_number":0}')
    observer.frame('response.output_text.delta', '{"delta":"a","sequence_number":1}')
    expect(observer.nextNumber?.()).toBe(2)
    expect(openAiProtocol.errorFrame(problem, RESPONSES, 2)).toContain('"sequence_number":2')
  })
})
