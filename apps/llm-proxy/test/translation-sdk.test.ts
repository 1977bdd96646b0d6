import { createOpenAI } from '@ai-sdk/openai'
import { jsonSchema, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json, stream } from './fixtures/scripted-upstream.ts'
import { PROVIDER_KEY, startLlmSetting } from './llm-setting.ts'
import type { LlmSetting } from './llm-setting.ts'

let setting: LlmSetting
let client: OpenAI
beforeAll(async () => {
  setting = await startLlmSetting()
  client = new OpenAI({ apiKey: await setting.tokenOf('alice'), baseURL: `${setting.url}/v1`, maxRetries: 0 })
})
afterAll(() => setting.close())

const model = 'anthropic/claude-x'
const messages = [{ role: 'user' as const, content: 'Weather in Rotterdam?' }]
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }]
const event = (data: { type: string; [member: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const start = event({
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude-x', usage: { input_tokens: 8, output_tokens: 1 } },
})
const text = (piece: string) =>
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: piece } })
const end = (stop_reason: string) =>
  event({ type: 'message_delta', delta: { stop_reason }, usage: { output_tokens: 5 } }) +
  event({ type: 'message_stop' })

describe("OpenAI's SDK with a model of Anthropic's", () => {
  it('gets a completion', async () => {
    setting.upstream.script = json(
      '{"type":"message","id":"msg_1","model":"claude-x","content":[{"type":"text","text":"Rain."}],"stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":5}}',
    )
    const { choices, usage } = await client.chat.completions.create({ model, messages })
    expect(choices[0]?.message.content).toBe('Rain.')
    expect(usage).toMatchObject({ prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 })
    expect(setting.sent()).toMatchObject({
      url: '/v1/messages',
      headers: { 'x-api-key': PROVIDER_KEY, 'anthropic-version': '2023-06-01' },
      body: { model: 'claude-x', max_tokens: 4096 },
    })
    expect(setting.sent().headers).not.toHaveProperty('authorization')
  })

  it('puts the pieces of a tool call together', async () => {
    const call = { type: 'tool_use', id: 't1', name: 'weather', input: {} }
    const piece = (partial_json: string) =>
      event({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json } })
    setting.upstream.script = stream([
      start,
      event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      text('Let me see.'),
      event({ type: 'content_block_stop', index: 0 }),
      event({ type: 'content_block_start', index: 1, content_block: call }),
      piece('{"city":"Rot'),
      piece('terdam"}'),
      event({ type: 'content_block_stop', index: 1 }) + end('tool_use'),
    ])
    const run = client.chat.completions.stream({
      model,
      messages,
      tools,
      stream_options: { include_usage: true },
    })
    const { choices, usage } = await run.finalChatCompletion()
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'Let me see.',
        tool_calls: [{ id: 't1', function: { name: 'weather', arguments: '{"city":"Rotterdam"}' } }],
      },
    })
    expect(usage).toMatchObject({ prompt_tokens: 8, completion_tokens: 5 })
  })

  it.each([
    [
      'an error of the provider',
      event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
      'Overloaded',
    ],
    ['an end without message_stop', event({ type: 'ping' }), 'midway'],
    ['an event that is no JSON', 'event: content_block_delta\ndata: {"a\n\n', 'cannot be read'],
  ])('throws in the midst of a stream at %s', async (_, last, message) => {
    setting.upstream.script = stream([start, text('Ra'), last])
    let got = ''
    const read = async () => {
      for await (const { choices } of await client.chat.completions.create({
        model,
        messages,
        stream: true,
      })) {
        got += choices[0]?.delta.content ?? ''
      }
    }
    await expect(read()).rejects.toThrow(message)
    expect(got).toBe('Ra')
  })

  it('gets the status, the type and the message of an error, and when to come again', async () => {
    setting.upstream.script = json(
      '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
      {
        status: 529,
        headers: { 'retry-after-ms': '70' },
      },
    )
    const failed: unknown = await client.chat.completions
      .create({ model, messages })
      .catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(OpenAI.APIError)
    expect(failed).toMatchObject({ status: 529, type: 'overloaded_error' })
    expect((failed as InstanceType<typeof OpenAI.APIError>).headers?.get('retry-after-ms')).toBe('70')
  })

  it('is told by name what cannot be said', async () => {
    const before = setting.upstream.seen.length
    await expect(client.chat.completions.create({ model, messages, n: 2 })).rejects.toMatchObject({
      status: 400,
      param: 'n',
    })
    expect(setting.upstream.seen).toHaveLength(before)
  })

  it('gives the provider up when it breaks out of a stream', async () => {
    setting.upstream.script = stream([start, text('Ra')], { then: 'hang' })
    const request = setting.upstream.nextRequest()
    for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true })) {
      if (choices[0]?.delta.content === 'Ra') break
    }
    await (
      await request
    ).aborted
  })
})

describe("Vercel's SDK with a model of Anthropic's", () => {
  it('streams a text, and calls a tool with what it was asked to', async () => {
    const call = { type: 'tool_use', id: 't1', name: 'weather', input: {} }
    setting.upstream.script = stream([
      start,
      text('Let me see.'),
      event({ type: 'content_block_start', index: 1, content_block: call }),
      event({
        type: 'content_block_delta',
        index: 1,
        delta: { type: 'input_json_delta', partial_json: '{"city":"Rotterdam"}' },
      }),
      event({ type: 'content_block_stop', index: 1 }) + end('tool_use'),
    ])
    const provider = createOpenAI({ apiKey: await setting.tokenOf('alice'), baseURL: `${setting.url}/v1` })
    const asked: unknown[] = []
    const run = streamText({
      model: provider.chat(model),
      messages,
      maxOutputTokens: 50,
      temperature: 0.5,
      tools: {
        weather: tool({
          inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } } }),
          execute: (input) => void asked.push(input),
        }),
      },
    })
    expect(await run.text).toBe('Let me see.')
    expect(asked).toEqual([{ city: 'Rotterdam' }])
    expect(await run.usage).toMatchObject({ inputTokens: 8, outputTokens: 5 })
    expect(setting.sent().body).toMatchObject({
      max_tokens: 50,
      temperature: 0.5,
      tools: [{ name: 'weather' }],
    })
  })
})
