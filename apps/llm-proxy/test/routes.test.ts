import { randomBytes } from 'node:crypto'
import type { llmProxy } from '@waybill/contracts'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '@waybill/service-kit'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import type { Provider } from '../src/provider.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const TEXT =
  'The goods are insured for 48,000 euros. The insurer is Noord Marine. Claims must be made within seven days. ' +
  'The consignee signs for the goods on delivery. The goods travel by barge.'

let setting: Setting
beforeAll(async () => {
  const limits = {
    MAX_INPUT_TOKENS: '200',
    MAX_EMBED_TOKENS: '40',
    MAX_EMBED_TEXTS: '3',
    MAX_EMBED_NUMBERS: '600',
  }
  setting = await startSetting(limits, [broken])
})
afterAll(() => setting.close())

/** A provider that breaks off: `broken/before` at once, `broken/midway` after the first piece. */
const broken: Provider = {
  name: 'broken',
  models: [
    { id: 'broken/before', kind: 'chat', created: 0 },
    { id: 'broken/midway', kind: 'chat', created: 0 },
    { id: 'broken/embedder', kind: 'embedding', created: 0, dimensions: 300 },
  ],
  async *chat({ model }) {
    await Promise.resolve()
    if (model === 'broken/midway') yield { kind: 'delta', text: 'half an ' }
    throw new Error('the key is sk-secret')
  },
  embed: () => Promise.reject(new Error('the key is sk-secret')),
  summarize: () => Promise.resolve([]),
  answer: () => Promise.resolve(undefined),
}

const ROUTES = [
  ['POST', '/llm', { prompt: 'x' }],
  ['POST', '/execute', { operation: 'tokenize', input: { text: 'x' } }],
  ['POST', '/tokenize', { text: 'x' }],
  ['POST', '/v1/chat/completions', { model: 'local/extractive', messages: [{ role: 'user', content: 'x' }] }],
  ['POST', '/v1/embeddings', { model: 'local/hash-embedding-256', input: 'x' }],
  ['GET', '/v1/models', undefined],
] as const

/** Those that answer from elsewhere: what is behind them has tests of its own. */
const RELAYED = [
  ['GET', '/v1/models/*id', undefined],
  ['POST', '/v1/completions', { model: 'openai/x' }],
  ['POST', '/v1/responses', { model: 'openai/x' }],
  ['POST', '/v1/*path', { model: 'openai/x' }],
  ...['openai', 'anthropic', 'gemini', 'gemini/v1beta/openai', 'mistral', 'openrouter'].map(
    (name) => ['ALL', `/${name}/*path`, undefined] as const,
  ),
] as const
/** keys-routes.test.ts and usage-routes.test.ts */
const TESTED_ELSEWHERE = /^[A-Z]+ \/(?:keys|usage)/

describe('every route', () => {
  const send = (method: string, path: string, body: object | undefined, token?: string) => {
    const agent = supertest(setting.service.app)
    const request = method !== 'POST' ? agent.get(path) : agent.post(path).send(body)
    return token === undefined ? request : request.set('Authorization', `Bearer ${token}`)
  }

  it('is one of those listed here', () => {
    const declared = setting.service.routes.map(({ method, path }) => `${method} ${path}`)
    const listed = [...ROUTES, ...RELAYED].map(([method, path]) => `${method} ${path}`)
    expect(declared.filter((name) => !TESTED_ELSEWHERE.test(name)).toSorted()).toEqual(listed.toSorted())
  })

  it.each(ROUTES)('%s %s answers a user with agents.query', async (method, path, body) => {
    expect((await send(method, path, body, await setting.tokenOf('alice', 'agents.query'))).status).toBe(200)
  })

  it.each([...ROUTES, ...RELAYED])('%s %s answers 401 without a credential', async (method, path, body) => {
    const answer = await send(method, path, body)
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    expect(answer.headers['x-request-id']).toBeDefined()
  })

  it.each([...ROUTES, ...RELAYED])('%s %s answers 403 without agents.query', async (method, path, body) => {
    expect((await send(method, path, body, await setting.tokenOf('alice', 'memory.read'))).status).toBe(403)
  })

  it.each([...ROUTES, ...RELAYED])(
    '%s %s answers 401 to a token for another service',
    async (method, path, body) => {
      const token = await setting.issuer.userToken('alice', { audience: 'docling', actors: ['gateway'] })
      expect((await send(method, path, body, token)).status).toBe(401)
    },
  )

  it.each(ROUTES.filter(([method]) => method === 'POST'))(
    '%s %s refuses what is not JSON',
    async (_, path) => {
      const token = await setting.tokenOf('alice')
      const answer = await supertest(setting.service.app)
        .post(path)
        .set('Authorization', `Bearer ${token}`)
        .set('Content-Type', 'application/json')
        .send('{"half":')
      expect(answer.status).toBe(400)
      expect(JSON.stringify(answer.body)).toContain('invalid_json')
    },
  )
})

describe('POST /llm', () => {
  it('answers from what the messages hold', async () => {
    const messages = [
      { role: 'system', content: TEXT },
      { role: 'user', content: 'Who is the insurer?' },
    ]
    const { status, body } = await setting.post('/llm', { messages })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: expect.stringMatching(/^llm-/),
      model: 'local/extractive',
      provider: 'local',
      finish_reason: 'stop',
      output: expect.stringContaining('Noord Marine'),
    })
    const { input_tokens: input, output_tokens: output, total_tokens: total } = body.usage as llmProxy.Usage
    expect(total).toBe(input + output)
    const counted = await setting.post('/tokenize', { text: body.output })
    expect(body.usage.output_tokens).toBe(counted.body.tokens)
  })

  it('gives the same output for the same input', async () => {
    const [one, other] = await Promise.all([TEXT, TEXT].map((prompt) => setting.post('/llm', { prompt })))
    expect(one!.body.output).toBe(other!.body.output)
    expect(one!.body.id).not.toBe(other!.body.id)
  })

  it('cuts the output at max_tokens, and says so', async () => {
    const { body } = await setting.post('/llm', { prompt: TEXT, max_tokens: 4 })
    expect(body).toMatchObject({ finish_reason: 'length', usage: { output_tokens: 4 } })
    expect(TEXT.startsWith(body.output)).toBe(true)
  })

  it('streams: headers at once, deltas, then the whole answer', async () => {
    const response = await setting.stream('/llm', { prompt: TEXT, stream: true })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('private, no-store, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    const frames = framesOf(await response.text())
    const done = frames.at(-1)!
    expect(done.event).toBe('done')
    expect(frames.slice(0, -1).every(({ event }) => event === 'delta')).toBe(true)
    const deltas = frames.slice(0, -1).map(({ data }) => (data as { delta: string }).delta)
    expect(deltas.length).toBeGreaterThan(5)
    expect(deltas.join('')).toBe((done.data as { output: string }).output)
  })

  it.each([
    ['neither prompt nor messages', {}, 'validation_failed', 400],
    ['both', { prompt: 'x', messages: [{ role: 'user', content: 'x' }] }, 'validation_failed', 400],
    ['a member that there is not', { prompt: 'x', temprature: 1 }, 'validation_failed', 400],
    ['a model that there is not', { prompt: 'x', model: 'local/poet' }, 'not_found', 404],
    ['an embedding model', { prompt: 'x', model: 'local/hash-embedding-256' }, 'bad_request', 400],
    ['too many tokens', { prompt: 'goods '.repeat(500) }, 'payload_too_large', 413],
    ['the same, streaming', { prompt: 'goods '.repeat(500), stream: true }, 'payload_too_large', 413],
  ])('refuses %s', async (_, body, code, status) => {
    const answer = await setting.post('/llm', body)
    expect(answer.status).toBe(status)
    expect(answer.body).toMatchObject({ code, request_id: answer.headers['x-request-id'] })
    expect(answer.headers['content-type']).toContain('application/problem+json')
  })

  it('ends a stream that breaks off with an error, never as if it were whole', async () => {
    const response = await setting.stream('/llm', { prompt: 'x', model: 'broken/midway', stream: true })
    const frames = framesOf(await response.text())
    expect(frames.map(({ event }) => event)).toEqual(['delta', 'error'])
    expect(frames[1]!.data).toMatchObject({
      type: 'urn:waybill:problem:internal',
      title: expect.any(String),
      status: 500,
      detail: expect.any(String),
      code: 'internal',
      error: expect.any(String),
      request_id: response.headers.get('x-request-id'),
    })
    expect(JSON.stringify(frames)).not.toContain('sk-secret')
  })
})

describe('POST /execute', () => {
  it('summarizes', async () => {
    const input = { text: TEXT, max_sentences: 2 }
    const { status, body } = await setting.post('/execute', { operation: 'summarize', input })
    expect(status).toBe(200)
    expect(body).toMatchObject({ sentences: 2, model: 'local/extractive' })
    expect(body.summary).toMatch(/^The goods .*\. .*\.$/)
    expect(body.usage.output_tokens).toBeLessThan(body.usage.input_tokens)
  })

  it('embeds', async () => {
    const input = { texts: ['goods', 'crates'], dimensions: 32 }
    const { body } = await setting.post('/execute', { operation: 'embed', input })
    expect(body).toMatchObject({ dimensions: 32, model: 'local/hash-embedding-256', tokens: 3 })
    expect(body.embeddings).toHaveLength(2)
    expect(body.embeddings[0]).toHaveLength(32)
  })

  it('tokenizes', async () => {
    const { body } = await setting.post('/execute', { operation: 'tokenize', input: { text: 'hello world' } })
    expect(body).toEqual({ tokens: 2, model: 'o200k_base', encoding: 'o200k_base' })
  })

  it.each([
    ['an operation that there is not', { operation: 'sing', input: {} }, 400],
    ['input of another operation', { operation: 'embed', input: { text: 'x' } }, 400],
    [
      'a collection that is no name',
      { operation: 'answer', input: { question: 'x', collection: '../x' } },
      400,
    ],
    ['too many tokens', { operation: 'summarize', input: { text: 'goods '.repeat(500) } }, 413],
    ['too many texts', { operation: 'embed', input: { texts: ['a', 'b', 'c', 'd'] } }, 413],
    ['a text that is too long', { operation: 'embed', input: { texts: ['goods '.repeat(50)] } }, 413],
    ['dimensions that there are not', { operation: 'embed', input: { texts: ['a'], dimensions: 3 } }, 400],
  ])('refuses %s', async (_, body, status) => {
    expect((await setting.post('/execute', body)).status).toBe(status)
  })
})

describe('vectors of too many numbers', () => {
  it.each([
    ['as many as are asked for', { texts: ['a', 'b'], dimensions: 301 }],
    ['as many as the model makes of itself', { texts: ['a', 'b', 'c'] }],
  ])('are refused before the provider is asked: %s', async (_, { texts, ...more }) => {
    const model = 'broken/embedder'
    const executed = await setting.post('/execute', { operation: 'embed', input: { model, texts, ...more } })
    expect(executed.status).toBe(413)
    expect(executed.body).toMatchObject({
      code: 'payload_too_large',
      detail: expect.stringContaining('MAX_EMBED_NUMBERS'),
    })
    const answer = await setting.post('/v1/embeddings', { model, input: texts, ...more })
    expect(answer.status).toBe(413)
    expect(answer.body.error).toMatchObject({
      code: 'payload_too_large',
      message: expect.stringContaining('MAX_EMBED_NUMBERS'),
    })
  })

  it('are made up to the limit', async () => {
    const input = { texts: ['a', 'b'], dimensions: 300 }
    expect((await setting.post('/execute', { operation: 'embed', input })).status).toBe(200)
  })
})

/** What has no default. */
const NEEDED = {
  SERVICE_SECRET: 'a secret for this test that nobody else has',
  DATABASE_URL: 'postgresql://llm_proxy:local@127.0.0.1:5432/llm_proxy',
  PROVIDER_KEY_ENCRYPTION_KEYS: `v1:${randomBytes(32).toString('base64')}`,
}

it('a call to data_store ends before the request that it is made for, so that its failure can still be told', () => {
  const config = loadConfig(configSchema, NEEDED)
  expect(config.CLIENT_TIMEOUT_MS).toBe(100_000)
  expect(config.CLIENT_TIMEOUT_MS).toBeLessThan(config.REQUEST_TIMEOUT_MS)
})

describe('POST /tokenize', () => {
  it('counts for the model, and gives the ids when asked', async () => {
    const body = { text: 'tiktoken is great!', model: 'gpt-4', include_token_ids: true }
    expect((await setting.post('/tokenize', body)).body).toEqual({
      tokens: 6,
      token_ids: [83, 1609, 5963, 374, 2294, 0],
      model: 'gpt-4',
      encoding: 'cl100k_base',
    })
    expect((await setting.post('/tokenize', { text: '' })).body.tokens).toBe(0)
  })

  it('says when no tokenizer of a model is known', async () => {
    const { status, body } = await setting.post('/tokenize', { text: 'x', model: 'claude-opus-5' })
    expect(status).toBe(400)
    expect(body.detail).toContain('claude-opus-5')
  })
})

it('a default model that there is not keeps the service from starting', () => {
  const config = loadConfig(configSchema, { ...NEEDED, DEFAULT_MODEL: 'local/poet' })
  expect(() => createApp(config)).toThrow('There is no model local/poet')
})

/** The frames of an event stream (HTML Living Standard 9.2.6), as far as this service writes them. */
function framesOf(stream: string): { event: string | undefined; data: unknown }[] {
  return stream
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => ({
      event: /^event: (.*)$/m.exec(frame)?.[1],
      data: JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? ''),
    }))
}
