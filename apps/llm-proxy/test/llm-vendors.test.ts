import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { chunk, DONE, json, stream } from './fixtures/scripted-upstream.ts'
import { PROVIDER_KEY, startLlmSetting } from './llm-setting.ts'
import type { LlmSetting } from './llm-setting.ts'

let setting: LlmSetting
beforeAll(async () => {
  setting = await startLlmSetting()
})
afterAll(() => setting.close())

const usage = { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 }
const completion = (content: string | null, more: object = {}, finish = 'stop') =>
  JSON.stringify({
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content, ...more }, finish_reason: finish }],
    usage,
  })
const last = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'length' }], usage })}\n\n`

const sent = () => setting.sent()
const ask = async (body: object, headers: Record<string, string> = {}) => {
  const response = await setting.send('/llm', JSON.stringify({ prompt: 'hi', ...body }), { headers })
  return { response, text: await response.text() }
}
const framesOf = (text: string) =>
  text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => ({
      event: /^event: (.*)$/m.exec(frame)?.[1],
      data: JSON.parse(/^data: (.*)$/m.exec(frame)![1]!) as Record<string, unknown>,
    }))

describe('/llm with a model of a vendor', () => {
  it('answers in its one shape, with the key of the user and the tokens that the provider counted', async () => {
    setting.upstream.script = json(completion('Hello', {}, 'content_filter'))
    const { response, text } = await ask({ model: 'openai/gpt-x', max_tokens: 7 })
    expect(response.status).toBe(200)
    expect(JSON.parse(text)).toEqual({
      id: expect.stringMatching(/^llm-/),
      model: 'openai/gpt-x',
      provider: 'openai',
      output: 'Hello',
      finish_reason: 'content_filter',
      usage: { input_tokens: 11, output_tokens: 2, total_tokens: 13 },
    })
    expect(sent()).toMatchObject({
      url: '/v1/chat/completions',
      headers: { authorization: `Bearer ${PROVIDER_KEY}` },
      body: { model: 'gpt-x', max_completion_tokens: 7, messages: [{ role: 'user', content: 'hi' }] },
    })
    expect(sent().body).not.toHaveProperty('stream')
  })

  it.each([
    ['mistral/m', '/v1/chat/completions', 'authorization'],
    ['openrouter/meta/llama', '/v1/chat/completions', 'authorization'],
    ['gemini/g', '/v1beta/openai/chat/completions', 'authorization'],
  ])('asks %s where that provider speaks the protocol', async (model, url, header) => {
    setting.upstream.script = json(completion('ok'))
    expect((await ask({ model, max_tokens: 7 })).response.status).toBe(200)
    expect(sent().url).toBe(url)
    expect(sent().headers[header]).toContain(PROVIDER_KEY)
    expect(sent().body).toMatchObject({ model: model.slice(model.indexOf('/') + 1), max_tokens: 7 })
    expect(sent().body).not.toHaveProperty('max_completion_tokens')
  })

  it('reads what comes of one with words of its own as it came: an event on several lines, with a name, and a refusal', async () => {
    const torn = chunk('Hello').replace(',"choices"', '\ndata: ,"choices"')
    setting.upstream.script = stream([`event: chunk\n${torn}`, last, DONE])
    const { text } = await ask({ model: 'mistral/m', stream: true })
    expect(framesOf(text).at(-1)).toMatchObject({ event: 'done', data: { output: 'Hello' } })
    setting.upstream.script = json('{"error":{"message":"no such model"}}', { status: 404 })
    const refused = await ask({ model: 'mistral/m' })
    expect(JSON.parse(refused.text)).toMatchObject({ status: 404, detail: 'mistral: no such model' })
  })

  it("asks Anthropic's models in Anthropic's protocol", async () => {
    setting.upstream.script = json(
      '{"type":"message","id":"m","model":"c","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}',
    )
    const messages = [
      { role: 'developer', content: 'be brief' },
      { role: 'user', content: 'hi' },
    ]
    const { text } = await ask({ model: 'anthropic/c', prompt: undefined, messages })
    expect(JSON.parse(text)).toMatchObject({
      provider: 'anthropic',
      output: 'Hi',
      usage: { total_tokens: 3 },
    })
    expect(sent()).toMatchObject({
      url: '/v1/messages',
      headers: { 'x-api-key': PROVIDER_KEY, 'anthropic-version': '2023-06-01' },
      body: { model: 'c', system: [{ type: 'text', text: 'be brief' }] },
    })
  })

  it('streams its events as the pieces come', async () => {
    setting.upstream.script = stream([chunk('Hel'), ': ping\n\n', chunk('lo'), last, DONE])
    const { response, text } = await ask({ model: 'openai/gpt-x', stream: true })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const frames = framesOf(text)
    expect(frames.map(({ event }) => event)).toEqual(['delta', 'delta', 'done'])
    expect(frames.slice(0, 2).map(({ data }) => data)).toEqual([{ delta: 'Hel' }, { delta: 'lo' }])
    expect(frames[2]!.data).toMatchObject({
      output: 'Hello',
      finish_reason: 'length',
      usage: { input_tokens: 11, output_tokens: 2, total_tokens: 13 },
    })
    expect(sent().body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
  })

  it.each(['end', 'hang'] as const)(
    'writes a stream that came to its end mark down as answered, should the provider then %s',
    async (then) => {
      setting.upstream.script = stream([chunk('Hello'), last, DONE], { then })
      await ask({ model: `openai/then-${then}`, stream: true })
      const headers = { Authorization: `Bearer ${await setting.tokenOf('alice')}` }
      const rowOf = async () => {
        const report = await fetch(`${setting.url}/usage?by=model`, { headers })
        const { items } = (await report.json()) as { items: Record<string, unknown>[] } // what the contract says
        return items.find(({ model }) => model === `then-${then}`)
      }
      expect(await vi.waitUntil(rowOf)).toMatchObject({ requests: 1, aborted: 0, failures: 0 })
    },
  )

  it('sends the head of a stream as soon as the provider has begun', async () => {
    setting.upstream.script = stream([': wait\n\n'], { then: 'hang' })
    const given = new AbortController()
    const body = JSON.stringify({ prompt: 'hi', model: 'openai/gpt-x', stream: true })
    const request = setting.upstream.nextRequest()
    const response = await setting.send('/llm', body, { signal: given.signal })
    expect(response.status).toBe(200)
    given.abort()
    await (
      await request
    ).aborted
  })

  it.each([
    ['before the head', false, (): void => undefined],
    ['before the head of a stream', true, (): void => undefined],
    ['in the midst of a stream', true, stream([chunk('Hel')], { then: 'hang' })],
  ])('gives the provider up when the client goes away %s', async (_, streams, script) => {
    setting.upstream.script = script
    const given = new AbortController()
    const request = setting.upstream.nextRequest()
    const body = JSON.stringify({ prompt: 'hi', model: 'openai/gpt-x', stream: streams })
    const response = setting.send('/llm', body, { signal: given.signal })
    const { aborted } = await request
    if (streams && script.length > 0) await (await response).body!.getReader().read()
    given.abort()
    await response.catch(() => undefined)
    await aborted
  })

  it.each([
    ['is cut', stream([chunk('Hel')], { then: 'cut' })],
    ['ends without its end mark', stream([chunk('Hel')])],
    ['holds an error', stream([chunk('Hel'), 'data: {"error":{"message":"Overloaded"}}\n\n'])],
    ['is no JSON', stream([chunk('Hel'), 'data: {"choi\n\n'], { then: 'hang' })],
  ])('ends a stream that %s with an error', async (_, script) => {
    setting.upstream.script = script
    const { text } = await ask({ model: 'openai/gpt-x', stream: true })
    const frames = framesOf(text)
    expect(frames.map(({ event }) => event)).toEqual(['delta', 'error'])
    expect(frames[1]!.data).toMatchObject({ code: 'upstream_failed', status: 502 })
  })

  it('gives the provider up when its stream cannot be read', async () => {
    setting.upstream.script = stream([chunk('Hel'), 'data: {"choi\n\n'], { then: 'hang' })
    const request = setting.upstream.nextRequest()
    await ask({ model: 'openai/gpt-x', stream: true })
    await (
      await request
    ).aborted
  })

  it.each([
    [
      'is cut midway',
      (res: ServerResponse) => {
        res.writeHead(200, { 'Content-Type': 'application/json' })
        res.write('{"choices":[', () => res.destroy())
      },
      'broke off',
    ],
    ['is no completion', json('[]'), 'no chat completion'],
    ['is no JSON', json('{"choices"'), 'no chat completion'],
  ])('answers 502 when the whole answer %s', async (_, script, detail) => {
    setting.upstream.script = script
    const { response, text } = await ask({ model: 'openai/gpt-x' })
    expect(response.status).toBe(502)
    expect(JSON.parse(text)).toMatchObject({
      code: 'upstream_failed',
      detail: expect.stringContaining(detail),
    })
  })

  it.each([
    [400, { error: { message: 'bad temperature', code: 'c', param: 'temperature' } }, 400, 'bad temperature'],
    [401, { error: { message: 'Incorrect API key provided: sk-provider' } }, 403, 'does not accept your key'],
    [404, { error: { message: 'no such model' } }, 404, 'no such model'],
    [500, '<html>', 502, 'openai: it answered 500'],
    [529, { error: { message: 'Overloaded' } }, 503, 'Overloaded'],
  ])(
    'tells of a provider that answers %s with a status of its own, streaming or not',
    async (status, body, expected, detail) => {
      setting.upstream.script = json(typeof body === 'string' ? body : JSON.stringify(body), { status })
      for (const streams of [true, false]) {
        const { response, text } = await ask({ model: 'openai/gpt-x', stream: streams })
        expect(response.status).toBe(expected)
        expect(JSON.parse(text).detail).toContain(detail)
        expect(text).not.toContain('sk-provider')
      }
    },
  )

  it('says when to come again', async () => {
    setting.upstream.script = json('{"error":{"message":"slow down"}}', {
      status: 429,
      headers: { 'retry-after-ms': '50', 'retry-after': '1' },
    })
    const { response } = await ask({ model: 'openai/gpt-x' })
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after-ms')).toBe('50')
    expect(response.headers.get('retry-after')).toBe('1')
  })

  it('says how to add a key when there is none', async () => {
    const answer = await setting.post('/llm', { prompt: 'x', model: 'openai/gpt-x', stream: true }, 'bob')
    expect(answer.status).toBe(403)
    expect(answer.body).toMatchObject({ reason: 'provider_key_missing' })
  })

  it('uses the key that the request names', async () => {
    await setting.addKey({ provider: 'openai', key: 'sk-the-other-key-0123456789', name: 'other' })
    setting.upstream.script = json(completion('ok'))
    await ask({ model: 'openai/gpt-x' }, { 'X-Provider-Key': 'other' })
    expect(sent().headers.authorization).toBe('Bearer sk-the-other-key-0123456789')
    await ask({ model: 'openai/gpt-x' })
    expect(sent().headers.authorization).toBe(`Bearer ${PROVIDER_KEY}`)
  })

  it('knows no model of a provider that there is not', async () => {
    const { response, text } = await ask({ model: 'nobody/x' })
    expect(response.status).toBe(404)
    expect(JSON.parse(text)).toMatchObject({ reason: 'model_not_found' })
  })
})
