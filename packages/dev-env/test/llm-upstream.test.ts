import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { vectorOf } from '../src/llm-upstream/openai/embeddings.ts'
import { startLlmUpstream } from '../src/llm-upstream/upstream.ts'
import type { LlmUpstream } from '../src/llm-upstream/upstream.ts'

// Shapes are those of the vendors' references. That their SDKs read them is proved in apps/llm-proxy/test/sdk-*.test.ts.

let upstream: LlmUpstream

beforeAll(async () => {
  upstream = await startLlmUpstream()
})
afterAll(() => upstream.close())
beforeEach(() => {
  upstream.forget()
  upstream.mend()
})

const OPENAI = { Authorization: 'Bearer sk-test-1234' }
const ANTHROPIC = { 'x-api-key': 'sk-ant-5678', 'anthropic-version': '2023-06-01' }
const GEMINI = { 'x-goog-api-key': 'sk-goog-9012' }

function post(path: string, body: unknown, headers: Record<string, string> = OPENAI, signal?: AbortSignal) {
  return fetch(upstream.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
    ...(signal && { signal }),
  })
}

const jsonOf = async (answer: Promise<Response>): Promise<unknown> => (await answer).json()
const textOf = async (answer: Promise<Response>): Promise<string> => (await answer).text()
/** What stands at `choices.0.message`, or undefined. */
const at = (value: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], value)

const say = (text: string, more: object = {}) => ({
  model: 'mock-model',
  messages: [{ role: 'user', content: text }],
  ...more,
})
const chat = (model: string, more: object = {}) =>
  post('/v1/chat/completions', say('one two', { model, ...more }))
const streamed = (model: string) => chat(model, { stream: true })

/** The data of each frame. */
const dataOf = (text: string) => [...text.matchAll(/^data: ?(.*?)\r?$/gm)].map(([, data]) => data ?? '')
const objectsOf = (text: string): unknown[] =>
  dataOf(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as unknown)
const eventsOf = (text: string) => [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)

describe('OpenAI', () => {
  test('the answer tells the last four of the key and the words of the prompt', async () => {
    const answer = await post('/v1/chat/completions', say('good  morning'))
    expect(answer.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{24}$/)
    expect(await answer.json()).toMatchObject({
      object: 'chat.completion',
      model: 'mock-model',
      choices: [{ message: { role: 'assistant', content: '[1234] good morning' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
    })
  })

  test('a stream ends in [DONE]; the usage chunk comes when it is asked for, and then usage: null in the others', async () => {
    const plain = dataOf(await (await streamed('mock-model')).text())
    expect(plain.at(-1)).toBe('[DONE]')
    expect(plain.join()).not.toContain('usage')

    const answer = await chat('mock-model', { stream: true, stream_options: { include_usage: true } })
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const chunks = objectsOf(await answer.text())
    expect(chunks.map((chunk) => at(chunk, 'usage.total_tokens'))).toEqual([...Array(5), 5])
    expect(chunks.slice(0, -1).map((chunk) => at(chunk, 'usage'))).toEqual(Array(5).fill(null))
    expect(at(chunks.at(-1), 'choices')).toEqual([])
    const words = chunks.map((chunk) => at(chunk, 'choices.0.delta.content')).filter(Boolean)
    expect(words).toEqual(['[1234]', ' one', ' two'])
  })

  test('a tool is called until its result is in the prompt', async () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } }
    const tools = [{ type: 'function', function: { name: 'weather', parameters } }]
    const first = await jsonOf(post('/v1/chat/completions', say('weather in Oslo', { tools })))
    expect(at(first, 'choices.0')).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'weather', arguments: '{"city":"Oslo","days":1}' } }] },
    })
    const messages = [{ role: 'tool', tool_call_id: 'x', content: 'rain' }]
    const second = await jsonOf(post('/v1/chat/completions', say('', { tools, messages })))
    expect(at(second, 'choices.0.message.content')).toBe('[1234] rain')
  })

  test('responses stream named events whose data have the same type and a sequence number', async () => {
    const text = await (
      await post('/v1/responses', { model: 'mock-model', input: 'hi', stream: true })
    ).text()
    const events = objectsOf(text)
    expect(eventsOf(text)).toEqual(events.map((event) => at(event, 'type')))
    expect(events.map((event) => at(event, 'sequence_number'))).toEqual([...events.keys()])
    expect(events.at(-1)).toMatchObject({
      type: 'response.completed',
      response: { status: 'completed', usage: { input_tokens: 1, output_tokens: 2 } },
    })
  })

  test('embeddings in base64 are the same 32-bit floats, little-endian', async () => {
    const ask = async (encoding_format: string) => {
      const body = { model: 'm', input: ['a b'], encoding_format }
      return at(await jsonOf(post('/v1/embeddings', body)), 'data.0.embedding')
    }
    const floats = await ask('float')
    const bytes = Buffer.from(String(await ask('base64')), 'base64')
    expect(floats).toEqual([...vectorOf('a b')])
    expect(floats).toEqual(Array.from({ length: 16 }, (_, at) => bytes.readFloatLE(at * 4)))
  })

  test.each([
    ['/v1/chat/completions', 'err-429', 429, 'rate_limit_exceeded', '50'],
    ['/v1/chat/completions', 'quota', 429, 'insufficient_quota', null],
    ['/v1/responses', 'err-500', 500, null, null],
    ['/v1/embeddings', 'err-401', 401, 'invalid_api_key', null],
    ['/v1beta/openai/chat/completions', 'err-503', 503, null, '50'],
  ])('%s with model %s is %i %s', async (path, model, status, code, retryAfterMs) => {
    const answer = await post(path, { model, input: 'x', messages: [] })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('retry-after-ms')).toBe(retryAfterMs)
    const error = at(await answer.json(), 'error') as Record<string, unknown>
    expect(Object.keys(error)).toEqual(['message', 'type', 'param', 'code'])
    expect(error.code).toBe(code)
  })

  test('OpenRouter says of a key what it may, and of a bad one that it is none', async () => {
    const asked = (key: string) =>
      fetch(`${upstream.url}/v1/key`, { headers: { Authorization: `Bearer ${key}` } })
    expect(at(await jsonOf(asked('sk-or-1234')), 'data.label')).toContain('1234')
    expect((await asked('sk-invalid-1')).status).toBe(401)
  })

  test('a key that is missing or bad is 401, malformed JSON 400, an unknown path 404', async () => {
    const status = async (answer: Promise<Response>) => (await answer).status
    expect(await status(post('/v1/chat/completions', say('x'), {}))).toBe(401)
    expect(await status(post('/v1/chat/completions', say('x'), { Authorization: 'Bearer other' }))).toBe(401)
    expect(await status(post('/v1/chat/completions', say('x'), { Authorization: 'Bearer sk-invalid' }))).toBe(
      401,
    )
    // Google's own header is not for the path on which it speaks OpenAI's protocol.
    expect(await status(post('/v1beta/openai/chat/completions', say('x'), GEMINI))).toBe(401)
    expect(await status(post('/v1/chat/completions', '{"model":'))).toBe(400)
    expect(await status(post('/v1/nothing', say('x')))).toBe(404)
  })
})

describe('Anthropic', () => {
  test('messages, whole and streamed, with ping and the cumulative count at the end', async () => {
    const whole = await jsonOf(post('/v1/messages', say('hello there'), ANTHROPIC))
    expect(whole).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: '[5678] hello there' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 2, output_tokens: 3 },
    })
    const text = await (await post('/v1/messages', say('hello', { stream: true }), ANTHROPIC)).text()
    expect(eventsOf(text)).toEqual([
      ...['message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_delta'],
      ...['content_block_stop', 'message_delta', 'message_stop'],
    ])
    expect(at(objectsOf(text).at(-2), 'usage')).toEqual({ output_tokens: 2 })
  })

  test('errors have its envelope, and the request id of the header', async () => {
    const answer = await post('/v1/messages', say('x', { model: 'err-529' }), ANTHROPIC)
    expect(answer.status).toBe(529)
    expect(await answer.json()).toEqual({
      type: 'error',
      error: { type: 'overloaded_error', message: 'Overloaded' },
      request_id: answer.headers.get('request-id'),
    })
  })
})

test('Gemini: whole, as events, and as an array', async () => {
  const body = { contents: [{ role: 'user', parts: [{ text: 'good day' }] }] }
  const path = '/v1beta/models/mock-model'
  const said = (parts: unknown[]) =>
    parts.map((part) => at(part, 'candidates.0.content.parts.0.text')).join('')
  const whole = await jsonOf(post(`${path}:generateContent`, body, GEMINI))
  expect(said([whole])).toBe('[9012] good day')
  const usage = { promptTokenCount: 2, candidatesTokenCount: 3, totalTokenCount: 5 }
  expect(at(whole, 'usageMetadata')).toEqual(usage)
  const events = await textOf(post(`${path}:streamGenerateContent?alt=sse`, body, GEMINI))
  expect(said(objectsOf(events))).toBe('[9012] good day')
  const array = await jsonOf(post(`${path}:streamGenerateContent`, body, GEMINI))
  expect(said(array as unknown[])).toBe('[9012] good day')
  const wrong = await jsonOf(post(`${path}:generateContent?key=nothing`, body, {}))
  expect(at(wrong, 'error.details.0.reason')).toBe('API_KEY_INVALID')
})

describe('faults', () => {
  test('cut: a clean end after so many frames, without [DONE]', async () => {
    expect(dataOf(await (await streamed('chunks-20+cut-5')).text())).toHaveLength(5)
  })

  test('reset: what was sent arrives, then the connection breaks', async () => {
    const answer = await streamed('chunks-20+reset-5')
    const chunks: string[] = []
    const reading = async () => {
      for await (const chunk of answer.body!) chunks.push(Buffer.from(chunk).toString())
    }
    await expect(reading()).rejects.toThrow()
    expect(dataOf(chunks.join(''))).toHaveLength(5)
    await upstream.until(() => upstream.seen[0]?.outcome === 'broken')
  })

  test('a body whose length was announced ends early, cleanly', async () => {
    await expect((await chat('cut-5')).text()).rejects.toThrow()
    expect(upstream.aborts).toBe(0)
  })

  test.each(['no-first-byte', 'stall-0', 'stall-3'])(
    '%s: the client that gives up is seen at once',
    async (model) => {
      const before = upstream.aborts
      const giveUp = new AbortController()
      const asked = post('/v1/chat/completions', say('x', { model, stream: true }), OPENAI, giveUp.signal)
      const outcome = asked.then((answer) => answer.text()).catch(() => 'gone')
      await upstream.until(() => upstream.seen[0]?.model === model)
      expect(upstream.openRequests).toBe(1)
      giveUp.abort()
      expect(await outcome).toBe('gone')
      await upstream.until(() => upstream.aborts === before + 1 && upstream.openRequests === 0)
      expect(upstream.seen[0]?.outcome).toBe('aborted')
    },
  )

  test('what a stream looks like changes nothing for who reads events properly', async () => {
    const text = await (await streamed('crlf+comments+torn+gzip')).text()
    expect(text).toContain(': keep-alive\r\n\r\ndata: {')
    expect(dataOf(text)).toEqual(dataOf(await (await streamed('crlf+comments+torn+gzip')).text()))
    expect(dataOf(text).at(-1)).toBe('[DONE]')
  })

  test('10,000 chunks', async () => {
    const text = await textOf(streamed('chunks-10000'))
    expect(dataOf(text)).toHaveLength(10_003)
    expect(upstream.seen[0]?.sent).toBe(Buffer.byteLength(text))
  })

  test('a redirect, HTML, another encoding, headers that are nobody else’s', async () => {
    expect((await chat('redirect')).status).toBe(302)
    expect((await chat('garbage')).headers.get('content-type')).toBe('text/html')
    const zipped = await chat('gzip')
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(await zipped.json()).toHaveProperty('choices')
    expect((await chat('cookies')).headers.get('set-cookie')).toContain('__cf_bm')
    expect(await (await chat('odd-json')).text()).toContain('"x_seed":18446744073709551615 ,"x_seed" : 1.0')
  })

  test('ordered ones hit the requests that they are for, as often as was said', async () => {
    upstream.fail({ kind: 'error', status: 500 }, { times: 2, on: /embeddings/ })
    const statuses: number[] = []
    for (const path of ['chat/completions', 'embeddings', 'embeddings', 'embeddings']) {
      statuses.push((await post(`/v1/${path}`, say('x', { input: 'x' }))).status)
    }
    expect(statuses).toEqual([200, 500, 500, 200])
  })
})

test('what came in is kept as it stood on the wire', async () => {
  const body = '{"model":"mock-model" ,"seed":9007199254740993,"messages":[]}'
  await post('/v1/chat/completions?a=%20', body, { ...OPENAI, 'X-Odd': 'yes' })
  const [seen] = upstream.seen
  expect(seen).toMatchObject({
    method: 'POST',
    url: '/v1/chat/completions?a=%20',
    key: '1234',
    outcome: 'answered',
  })
  expect(seen?.body.toString()).toBe(body)
  expect(seen?.headers['x-odd']).toBe('yes')
  expect(seen?.rawHeaders).toContain('X-Odd')
})
