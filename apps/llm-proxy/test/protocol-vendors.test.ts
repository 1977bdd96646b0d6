import { describe, expect, it } from 'vitest'
import { anthropicProtocol } from '../src/protocols/anthropic.ts'
import { geminiProtocol } from '../src/protocols/gemini.ts'
import type { Protocol } from '../src/protocols/protocol.ts'

const problem = {
  type: 't',
  title: 't',
  status: 502,
  detail: 'It broke.',
  code: 'upstream_failed',
  error: 't',
} as const

function observe(protocol: Protocol, path: string, frames: readonly [event: string, data: object][]) {
  const observer = protocol.observeStream(path)
  for (const [event, data] of frames) observer.frame(event, JSON.stringify(data))
  return { ...observer.observed(), ended: observer.ended() }
}

describe("Anthropic's protocol", () => {
  const MESSAGES = '/v1/messages'
  const named = (data: { type: string; [member: string]: unknown }): [string, object] => [data.type, data]
  const usage = {
    input_tokens: 3,
    cache_read_input_tokens: 20,
    cache_creation_input_tokens: 100,
    output_tokens: 1,
  }
  const start = named({
    type: 'message_start',
    message: { id: 'msg_1', model: 'claude-x', stop_reason: null, usage },
  })
  const text = named({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text: 'message_stop' },
  })
  const delta = (output_tokens: number, more: object = {}) =>
    named({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens, ...more } })
  const stop = named({ type: 'message_stop' })

  it.each([
    [MESSAGES, 'chat'],
    ['/V1/Messages/', 'chat'],
    ['/v1/messages/count_tokens', 'other'],
    ['/v1/messages/batches', 'other'],
    ['/v1/complete', 'text_completion'],
  ])('knows what %s asks for: %s', (path, operation) => {
    expect(anthropicProtocol.operationOf(path)).toBe(operation)
  })

  it('counts what came from the cache and what was put there as input', () => {
    expect(observe(anthropicProtocol, MESSAGES, [start, text])).toEqual({
      id: 'msg_1',
      model: 'claude-x',
      finishReasons: [],
      usage: { inputTokens: 123, outputTokens: 1, cachedInputTokens: 20, cacheWriteTokens: 100 },
      ended: false,
    })
    expect(anthropicProtocol.readAnswer({ type: 'message', usage }).usage?.inputTokens).toBe(123)
  })

  it('takes the last count of the output, which is of all of it', () => {
    const read = observe(anthropicProtocol, MESSAGES, [
      start,
      named({ type: 'ping' }),
      text,
      delta(5),
      delta(9),
      stop,
    ])
    expect(read).toMatchObject({
      finishReasons: ['end_turn'],
      usage: { inputTokens: 123, outputTokens: 9 },
      ended: true,
    })
  })

  it('takes the counts of the input that come at the end', () => {
    const read = observe(anthropicProtocol, MESSAGES, [
      start,
      delta(9, { input_tokens: 50, cache_read_input_tokens: null }),
    ])
    expect(read.usage?.inputTokens).toBe(170)
  })

  it('ends with message_stop or an error, and with nothing else', () => {
    const ended = (...frames: [string, object][]) =>
      observe(anthropicProtocol, MESSAGES, [start, ...frames]).ended
    expect(ended(delta(5))).toBe(false)
    expect(ended(delta(5), stop)).toBe(true)
    const error = named({ type: 'error', error: { type: 'overloaded_error', message: 'x' } })
    expect(observe(anthropicProtocol, MESSAGES, [start, error])).toMatchObject({ ended: true, failed: true })
  })

  it('names the event of its error frame, without which the SDK passes it over', () => {
    expect(anthropicProtocol.errorFrame(problem, MESSAGES)).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"It broke."}}\n\n',
    )
  })
})

describe("Gemini's protocol", () => {
  const STREAM = '/v1beta/models/gemini-x:streamGenerateContent'
  const part = (text: string, more: object = {}): [string, object] => [
    '',
    {
      candidates: [{ content: { parts: [{ text }] }, ...more }],
      responseId: 'r1',
      modelVersion: 'gemini-x-001',
    },
  ]
  const usageMetadata = {
    promptTokenCount: 10,
    cachedContentTokenCount: 4,
    candidatesTokenCount: 6,
    thoughtsTokenCount: 30,
    toolUsePromptTokenCount: 5,
  }
  const counted = (frame: [string, object]): [string, object] => [frame[0], { ...frame[1], usageMetadata }]

  it.each([
    ['/v1beta/models/gemini-x:generateContent', 'generate_content', 'gemini-x', false],
    [STREAM, 'generate_content', 'gemini-x', true],
    ['/v1beta/Models/gemini-x:GENERATECONTENT/', 'generate_content', 'gemini-x', false],
    ['/v1beta/models/openai/x:streamGenerateContent', 'generate_content', 'openai/x', true],
    ['/v1beta/tunedModels/mine:generateContent', 'generate_content', 'tunedModels/mine', false],
    ['/v1beta/models/e:embedContent', 'embeddings', 'e', false],
    ['/v1beta/models/e:batchEmbedContents', 'embeddings', 'e', false],
    ['/v1beta/models/gemini-x:countTokens', 'other', 'gemini-x', false],
    ['/v1beta/models', 'other', undefined, false],
    ['/v1beta/openai/chat/completions', 'chat', undefined, false],
  ])('reads %s', (path, operation, model, streams) => {
    expect(geminiProtocol.operationOf(path)).toBe(operation)
    expect(geminiProtocol.modelIn(path)).toBe(model)
    expect(geminiProtocol.streamsBy(path)).toBe(streams)
  })

  it('counts what the model thinks as output, and ends with a reason to finish', () => {
    expect(observe(geminiProtocol, STREAM, [part('a'), part('b')]).ended).toBe(false)
    expect(
      observe(geminiProtocol, STREAM, [part('a'), counted(part('b', { finishReason: 'STOP' }))]),
    ).toEqual({
      id: 'r1',
      model: 'gemini-x-001',
      finishReasons: ['STOP'],
      usage: { inputTokens: 15, outputTokens: 36, cachedInputTokens: 4, reasoningTokens: 30 },
      ended: true,
    })
  })

  it('reads the array that a stream is without alt=sse', () => {
    const chunks = [part('a'), counted(part('b', { finishReason: 'MAX_TOKENS' }))].map(([, data]) => data)
    expect(geminiProtocol.readAnswer(chunks)).toEqual({
      id: 'r1',
      model: 'gemini-x-001',
      finishReasons: ['MAX_TOKENS'],
      usage: { inputTokens: 15, outputTokens: 36, cachedInputTokens: 4, reasoningTokens: 30 },
    })
  })

  it('ends when the prompt is blocked, or with an error', () => {
    expect(observe(geminiProtocol, STREAM, [['', { promptFeedback: { blockReason: 'SAFETY' } }]]).ended).toBe(
      true,
    )
    expect(
      observe(geminiProtocol, STREAM, [['', { error: { code: 503, message: 'x', status: 'UNAVAILABLE' } }]]),
    ).toMatchObject({ ended: true, failed: true })
  })

  it('ends when each of its candidates has', () => {
    const of = (index: number, finishReason?: string) => part('a', { index, finishReason })
    const frames = [of(0), of(1), of(0, 'STOP')]
    expect(observe(geminiProtocol, STREAM, frames).ended).toBe(false)
    expect(observe(geminiProtocol, STREAM, [...frames, of(1, 'MAX_TOKENS')])).toMatchObject({
      ended: true,
      finishReasons: ['STOP', 'MAX_TOKENS'],
    })
  })

  it("has Google's header for its key, but OpenAI's below /openai/", () => {
    const at = (path: string) => geminiProtocol.credential('k', path)
    expect(at(STREAM)).toEqual({ 'x-goog-api-key': 'k' })
    expect(at('/v1beta/openai/chat/completions')).toEqual({ authorization: 'Bearer k' })
  })

  it("speaks OpenAI's protocol below /openai/", () => {
    const path = '/v1beta/openai/chat/completions'
    const observer = geminiProtocol.observeStream(path)
    observer.frame('', '[DONE]')
    expect(observer.ended()).toBe(true)
    expect(geminiProtocol.errorFrame(problem, path)).toContain('"code":"upstream_failed"')
    expect(
      geminiProtocol.readAnswer({ object: 'list', usage: { prompt_tokens: 2 } }).usage?.inputTokens,
    ).toBe(2)
  })

  it("writes its errors in Google's shape", () => {
    expect(geminiProtocol.errorFrame(problem, STREAM)).toBe(
      'data: {"error":{"code":502,"message":"It broke.","status":"UNAVAILABLE"}}\n\n',
    )
  })
})
