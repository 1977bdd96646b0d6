import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashEmbedding } from '../src/local/embedding.ts'
import type { Provider } from '../src/provider.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const MODEL = 'local/extractive'
const EMBEDDING_MODEL = 'local/hash-embedding-256'
const MESSAGES = [
  {
    role: 'system',
    content: 'The goods are insured for 48,000 euros. The insurer is Noord Marine of Rotterdam.',
  },
  { role: 'user', content: [{ type: 'text', text: 'Who is the insurer of the goods?' }] },
]

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ MAX_INPUT_TOKENS: '100' }, [endless])
})
afterAll(() => setting.close())

const whenEnded = Promise.withResolvers<true>()
/** A provider that talks until it is told to stop. */
const endless: Provider = {
  name: 'endless',
  models: [
    { id: 'endless/talker', kind: 'chat', created: 0 },
    { id: 'endless/breaker', kind: 'chat', created: 0 },
  ],
  async *chat({ model }, signal) {
    try {
      for (;;) {
        yield { kind: 'delta', text: 'and so on '.repeat(100) }
        await new Promise(setImmediate)
        signal.throwIfAborted()
        if (model === 'endless/breaker') throw new Error('the key is sk-secret')
      }
    } finally {
      whenEnded.resolve(true)
    }
  },
  embed: () => Promise.resolve([]),
  summarize: () => Promise.resolve([]),
  answer: () => Promise.resolve(undefined),
}

describe('POST /v1/chat/completions', () => {
  const chat = (more: object = {}) =>
    setting.post('/v1/chat/completions', { model: MODEL, messages: MESSAGES, ...more })

  it("answers in OpenAI's shape", async () => {
    const { status, body } = await chat({ temperature: 0, seed: 1, user: 'x' })
    expect(status).toBe(200)
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: MODEL,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: expect.stringContaining('Noord Marine'), refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: expect.any(Number),
        completion_tokens: expect.any(Number),
        total_tokens: expect.any(Number),
      },
    })
  })

  it('takes max_tokens and max_completion_tokens', async () => {
    for (const limit of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
      const { body } = await chat(limit)
      expect(body.usage.completion_tokens).toBe(3)
      expect(body.choices[0].finish_reason).toBe('length')
    }
  })

  const streamed = async (more: object) => {
    const body = { model: MODEL, messages: MESSAGES, stream: true, ...more }
    const response = await setting.stream('/v1/chat/completions', body)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const lines = (await response.text()).split('\n\n').filter((line) => line !== '')
    expect(lines.every((line) => line.startsWith('data: '))).toBe(true)
    return lines.map((line) => line.slice('data: '.length))
  }

  interface Chunk {
    id: string
    object: string
    choices: { delta: { content?: string }; finish_reason: string | null }[]
    usage?: unknown
  }
  const chunksOf = (lines: string[]) => lines.slice(0, -1).map((line) => JSON.parse(line) as Chunk)

  it('streams chunks, the last one with the reason, then [DONE]', async () => {
    const lines = await streamed({})
    expect(lines.at(-1)).toBe('[DONE]')
    const chunks = chunksOf(lines)
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '', refusal: null })
    expect(chunks.at(-1)!.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' })
    expect(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && !('usage' in chunk))).toBe(
      true,
    )
    const text = chunks.map(({ choices }) => choices[0]!.delta.content ?? '').join('')
    expect(text).toBe((await chat()).body.choices[0].message.content)
  })

  it('with include_usage: usage is null but in one more chunk that has no choices', async () => {
    const lines = await streamed({ stream_options: { include_usage: true } })
    const chunks = chunksOf(lines)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: (await chat()).body.usage })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  })

  it('a stream that breaks off holds an error and no [DONE]', async () => {
    const lines = await streamed({ model: 'endless/breaker' })
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: 'internal' },
    })
    expect(lines.join('')).not.toContain('sk-secret')
  })

  it('a client that goes away stops the provider', async () => {
    const abort = new AbortController()
    const body = { model: 'endless/talker', messages: MESSAGES, stream: true }
    const response = await setting.stream('/v1/chat/completions', body, abort.signal)
    const reader = response.body!.getReader()
    await reader.read()
    abort.abort()
    await whenEnded.promise
  })

  it.each([
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }],
    ['n', { n: 2 }],
    ['stop', { stop: ['.'] }],
    ['logprobs', { logprobs: true }],
    ['response_format', { response_format: { type: 'json_object' } }],
    [
      'messages[0].content',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
    ],
    ['messages[0].role', { messages: [{ role: 'tool', content: 'x' }] }],
  ])('refuses what it cannot do, by name: %s', async (param, more) => {
    const { status, body } = await chat(more)
    expect(status).toBe(400)
    expect(body.error).toMatchObject({ type: 'invalid_request_error', param, code: 'unsupported_value' })
  })
})

describe('POST /v1/embeddings', () => {
  const embed = (more: object) => setting.post('/v1/embeddings', { model: EMBEDDING_MODEL, ...more })

  it('answers with floats, one per text, in order', async () => {
    const { status, body } = await embed({ input: ['goods', 'crates'], encoding_format: 'float' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      object: 'list',
      model: EMBEDDING_MODEL,
      usage: { prompt_tokens: 3, total_tokens: 3 },
    })
    expect(body.data).toEqual([
      { object: 'embedding', index: 0, embedding: hashEmbedding('goods', 256) },
      { object: 'embedding', index: 1, embedding: hashEmbedding('crates', 256) },
    ])
  })

  it("answers in base64 with the same 32-bit floats, as OpenAI's clients ask for by default", async () => {
    const { body } = await embed({ input: 'goods', encoding_format: 'base64', dimensions: 64 })
    const bytes = Buffer.from(body.data[0].embedding as string, 'base64')
    const floats = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
    expect(floats).toEqual(hashEmbedding('goods', 64))
  })

  it.each([
    ['tokens', { input: [1, 2, 3] }, /tokens are not accepted/],
    ['lists of tokens', { input: [[1, 2, 3]] }, /tokens are not accepted/],
    ['no text at all', { input: [] }, /must not be empty/],
    ['an empty text', { input: ['goods', ''] }, /input\[1\] must not be empty/],
  ])('refuses %s', async (_, more, message) => {
    const { status, body } = await embed(more)
    expect(status).toBe(400)
    expect(body.error).toMatchObject({ message: expect.stringMatching(message), param: 'input' })
  })
})

it('GET /v1/models lists the models of every provider', async () => {
  const { body } = await supertest(setting.service.app)
    .get('/v1/models')
    .set('Authorization', `Bearer ${await setting.tokenOf('alice')}`)
  expect(body.object).toBe('list')
  expect(body.data).toContainEqual({
    id: MODEL,
    object: 'model',
    created: expect.any(Number),
    owned_by: 'local',
  })
  expect(body.data).toHaveLength(4)
})

describe("an error has OpenAI's shape, its status, and the request id as a header", () => {
  it.each([
    ['no credential', undefined, {}, 401, 'invalid_request_error', null, 'invalid_api_key'],
    ['too little permission', 'memory.read', {}, 403, 'permission_error', null, 'insufficient_permission'],
    ['no such model', '*', { model: 'gpt-99' }, 404, 'invalid_request_error', 'model', 'model_not_found'],
    [
      'a wrong member',
      '*',
      { max_tokens: -1 },
      400,
      'invalid_request_error',
      'max_tokens',
      'validation_failed',
    ],
    [
      'too many tokens',
      '*',
      { messages: [{ role: 'user', content: 'goods '.repeat(200) }] },
      413,
      'invalid_request_error',
      'messages',
      'context_length_exceeded',
    ],
  ])('%s', async (_, scope, more, status, type, param, code) => {
    const token = scope === undefined ? undefined : await setting.tokenOf('alice', scope)
    const answer = await supertest(setting.service.app)
      .post('/v1/chat/completions')
      .set(token === undefined ? {} : { Authorization: `Bearer ${token}` })
      .send({ model: MODEL, messages: MESSAGES, ...more })
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual({ error: { message: expect.any(String), type, param, code } })
    expect(answer.headers['x-request-id']).toBeDefined()
    expect(answer.headers['content-type']).toContain('application/json')
  })
})
