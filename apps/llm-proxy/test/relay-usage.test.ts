import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunk, DONE, json, stream } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const USAGE = {
  prompt_tokens: 11,
  completion_tokens: 5,
  total_tokens: 16,
  prompt_tokens_details: { cached_tokens: 8 },
}
const COUNTED = { inputTokens: 11, outputTokens: 5, cachedInputTokens: 8 }
const usageChunk = `data: {"id":"chatcmpl-1","choices": [ ],"usage":${JSON.stringify(USAGE)}}\n\n`
const ask = async (path: string, body: string) => {
  const answer = await setting.send(path, body)
  return {
    text: await answer.text(),
    seen: setting.upstream.seen.at(-1)!.body.toString(),
    outcome: await setting.metered.at(-1)!.ended,
  }
}

describe('the usage of a stream', () => {
  it('is asked for, counted, and taken out again when the client did not ask', async () => {
    const plain = [
      chunk('a'),
      ': ping\n\n',
      chunk('"usage":null in a text'),
      'data: {"n":12345678901234567890}\n\n',
    ]
    const withNull = [
      chunk('a', { usage: null }),
      ': ping\n\n',
      chunk('"usage":null in a text', { usage: null }),
      'data: {"usage" : null , "n":12345678901234567890}\n\n'.replace('null , ', 'null, '),
    ]
    setting.upstream.script = stream([...withNull, usageChunk, DONE])
    const { text, seen, outcome } = await ask(
      '/openai/v1/chat/completions',
      '{"model":"gpt-x", "stream" : true ,"messages":[]}',
    )
    expect(seen).toBe(
      '{"model":"gpt-x", "stream" : true,"stream_options":{"include_usage":true} ,"messages":[]}',
    )
    expect(text).toBe([...plain, DONE].join(''))
    expect(outcome).toMatchObject({ usage: COUNTED, result: 'answered' })
  })

  it('is left where it is when the client asked', async () => {
    const frames = [chunk('a', { usage: null }), usageChunk, DONE]
    setting.upstream.script = stream(frames)
    const body = '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
    const { text, seen, outcome } = await ask('/openai/v1/chat/completions', body)
    expect(seen).toBe(body)
    expect(text).toBe(frames.join(''))
    expect(outcome.usage).toEqual(COUNTED)
  })

  it('in a chunk that has a choice too is left there', async () => {
    const frames = [chunk('a', { usage: USAGE }), DONE]
    setting.upstream.script = stream(frames)
    const { text } = await ask('/openai/v1/chat/completions', '{"model":"gpt-x","stream":true}')
    expect(text).toBe(frames.join(''))
  })

  it.each([
    ['/mistral/v1/chat/completions', '{"model":"m","stream":true}'],
    ['/openai/v1/responses', '{"model":"m","stream":true}'],
    ['/anthropic/v1/messages', '{"model":"m","stream":true}'],
    ['/openai/v1/chat/completions', '{"model":"m","stream":false}'],
  ])('is not asked for where that is not known, or nothing streams: %s %s', async (path, body) => {
    setting.upstream.script = json('{}')
    expect((await ask(path, body)).seen).toBe(body)
  })

  it.each([
    ['{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['{"stream":true,"stream_options":{ }}', '{"stream":true,"stream_options":{"include_usage":true }}'],
    [
      '{"stream_options":{"include_obfuscation":false},"stream":true}',
      '{"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true}',
    ],
    [
      '{"stream":true,"stream_options":{"include_usage" : false, "x":1}}',
      '{"stream":true,"stream_options":{"include_usage" : true, "x":1}}',
    ],
    ['{"stream":true,"stream_options":7}', '{"stream":true,"stream_options":7}'],
  ])('is asked for in what is there already: %s', async (body, expected) => {
    setting.upstream.script = json('{}')
    expect((await ask('/openai/v1/completions', body)).seen).toBe(expected)
  })

  it.each([
    ['/openai/v1/batches', true],
    ['/anthropic/v1/messages/count_tokens', false],
    ['/openai/v1/chat/completions', false],
  ])('cannot be counted at every path: %s, %s', async (path, unmetered) => {
    setting.upstream.script = json('{}')
    await ask(path, '{"model":"m"}')
    expect(setting.metered.at(-1)!.call.unmetered).toBe(unmetered)
  })

  it.each([
    [json, (model: string) => JSON.stringify({ model, choices: [], usage: USAGE })],
    [(text: string) => stream([text, DONE]), (model: string) => chunk('a', { model, usage: USAGE })],
  ])('is of the model that answered, whichever was asked: %#', async (script, answerOf) => {
    setting.upstream.script = script(answerOf('very/expensive'))
    const body = '{"model":"cheap/free","models":["very/expensive"],"messages":[]}'
    const { outcome } = await ask('/openrouter/v1/chat/completions', body)
    expect(outcome).toMatchObject({
      ...{ model: 'cheap/free', responseModel: 'very/expensive', usage: COUNTED },
    })
  })

  it('is read where Gemini streams one JSON list', async () => {
    const list =
      '[{"candidates":[{"finishReason":"STOP"}],\n"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}\n]'
    setting.upstream.script = json(list)
    const { text, outcome } = await ask(
      '/gemini/v1beta/models/flash:streamGenerateContent',
      '{"contents":[]}',
    )
    expect(text).toBe(list)
    expect(outcome).toMatchObject({ model: 'flash', usage: { inputTokens: 3, outputTokens: 4 } })
    expect(setting.metered.at(-1)!.call).toMatchObject({ stream: true, operation: 'generate_content' })
  })
})
