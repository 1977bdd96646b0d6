import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { ask, newUser } from '../src/user.ts'
import type { Answer, Ask, User } from '../src/user.ts'

const { services, traces } = inject('platform')
const KEY = `sk-${randomBytes(16).toString('hex')}`
const MESSAGES = [{ role: 'user', content: 'Good morning' }]
const CHAT = { model: 'mock/mock-model', messages: MESSAGES }

let owner: User
let stranger: User
let apiKey: string
let keyId: string

beforeAll(async () => {
  owner = await newUser(services.gateway)
  stranger = await newUser(services.gateway)
  for (const provider of ['mock', 'mock-anthropic']) {
    const added = await owner.ask('/keys', { json: { provider, key: KEY } })
    expect(added.status, JSON.stringify(added.body)).toBe(201)
    keyId = String(added.body.id)
  }
  const made = await owner.ask('/auth/api-keys', { json: { name: 'sdk', permissions: ['agents.query'] } })
  apiKey = String(made.body.api_key)
})

interface Span {
  spanId: string
  parentSpanId: string | null
  service: string
  name: string
  kind: string
  attributes: Record<string, unknown>
}

/** The spans of the one trace of a request, once those of that name and the gateway's own have come in. */
function spansOf(requestId: string, name: string): Promise<Span[]> {
  const read = async (path: string): Promise<unknown> => (await fetch(`${traces}/api/traces${path}`)).json()
  return vi.waitFor(
    async () => {
      const found = (await read(`?request_id=${requestId}`)) as { traces: { traceId: string }[] }
      expect(found.traces).toHaveLength(1)
      const { spans } = (await read(`/${found.traces[0]!.traceId}`)) as { spans: Span[] }
      expect(spans.map((span) => span.name)).toEqual(expect.arrayContaining([name]))
      expect(spans.some(({ service, kind }) => service === 'gateway' && kind === 'server')).toBe(true)
      return spans
    },
    { timeout: 20_000, interval: 100 },
  )
}

describe("a chat with the user's own key", () => {
  it('streams from the provider to the user, as one trace with what the model was asked and used', async () => {
    const requestId = `e2e-llm-${keyId.slice(0, 8)}`
    const json = { ...CHAT, stream: true, stream_options: { include_usage: true } }
    const { status, headers, body } = await owner.ask('/v1/chat/completions', {
      ...{ json, headers: { 'X-Request-ID': requestId } },
    })
    const text = String(body.text)
    expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/event-stream')])
    expect(text).toContain(`[${KEY.slice(-4)}]`)
    expect(text).not.toContain(KEY)
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true)

    const spans = await spansOf(requestId, 'chat mock-model')
    const inference = spans.find(({ name }) => name === 'chat mock-model')
    expect(inference).toMatchObject({ service: 'llm-proxy', kind: 'client' })
    expect(inference?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'mock',
      'gen_ai.request.stream': true,
      'gen_ai.usage.input_tokens': 2,
      'gen_ai.usage.output_tokens': 3,
    })
    const server = spans.find(({ spanId }) => spanId === inference?.parentSpanId)
    expect(server).toMatchObject({ service: 'llm-proxy', kind: 'server' })
    for (const secret of [KEY, owner.token, 'Good morning'])
      expect(JSON.stringify(spans)).not.toContain(secret)
  })

  it.each<[string, string, () => Ask, RegExp]>([
    [
      "OpenAI's place, with a token",
      '/mock/v1/chat/completions',
      () => ({ json: { ...CHAT, model: 'm' }, headers: { Authorization: `Bearer ${owner.token}` } }),
      /"object":"chat\.completion"/,
    ],
    [
      "OpenAI's place, with an API key",
      '/v1/chat/completions',
      () => ({ json: CHAT, headers: { Authorization: `Bearer ${apiKey}` } }),
      /"object":"chat\.completion"/,
    ],
    [
      "Anthropic's place",
      '/mock-anthropic/v1/messages',
      () => ({
        json: { model: 'm', max_tokens: 20, messages: MESSAGES },
        headers: { 'X-Api-Key': apiKey, 'anthropic-version': '2023-06-01' },
      }),
      /"type":"message"/,
    ],
  ])('takes the credential in %s', async (_place, path, options, shape) => {
    const answer = await ask(services.gateway + path, options())
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
    expect(JSON.stringify(answer.body)).toMatch(shape)
    expect(JSON.stringify(answer.body)).toContain(`[${KEY.slice(-4)}]`)
  })

  it('is counted for its user alone', async () => {
    const mine = await owner.ask('/usage?by=provider')
    expect(mine.status).toBe(200)
    expect(JSON.stringify(mine.body)).toContain('"provider":"mock"')
    const theirs = await stranger.ask('/usage?by=provider')
    expect(theirs.body).toMatchObject({ items: [], total: { requests: 0 } })
  })
})

describe('the key of one user', () => {
  it('is not there for another: 403 in the words of each protocol, saying what to do', async () => {
    const answers = await Promise.all([
      stranger.ask('/v1/chat/completions', { json: CHAT }),
      stranger.ask('/mock/v1/chat/completions', { json: { ...CHAT, model: 'm' } }),
      stranger.ask('/mock-anthropic/v1/messages', {
        json: { model: 'm', max_tokens: 9, messages: MESSAGES },
      }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403])
    for (const { body } of answers.slice(0, 2))
      expect(body).toMatchObject({ error: { type: 'permission_error', code: 'provider_key_missing' } })
    expect(answers[2].body).toMatchObject({ type: 'error', error: { type: 'permission_error' } })
    for (const { body } of answers) expect(JSON.stringify(body)).toContain('/keys')
  })

  it('is 404 by its id, in no list, and cannot be named in X-Provider-Key', async () => {
    for (const method of ['GET', 'DELETE'])
      expect((await stranger.ask(`/keys/${keyId}`, { method })).status).toBe(404)
    expect((await stranger.ask('/keys')).body).toEqual({ keys: [] })
    const headers = { 'X-Provider-Key': keyId, 'X-User-ID': owner.id }
    expect((await stranger.ask('/v1/chat/completions', { json: CHAT, headers })).status).toBe(403)
    expect((await owner.ask(`/keys/${keyId}`)).status).toBe(200)
  })

  it('needs agents.query of an API key', async () => {
    const made = await owner.ask('/auth/api-keys', { json: { name: 'weak', permissions: ['memory.read'] } })
    const answer = await ask(`${services.gateway}/v1/chat/completions`, {
      ...{ json: CHAT, headers: { Authorization: `Bearer ${String(made.body.api_key)}` } },
    })
    expect(answer.status).toBe(403)
    expect(answer.body).toMatchObject({ error: { code: 'insufficient_permission' } })
  })
})

/** What programs get wrong, and the one answer to each, through the gateway and at llm-proxy itself. */
const MISTAKES: [what: string, path: string, ask: () => Ask, status: number, shape: object][] = [
  ['no credential', '/openai/v1/models', () => ({ anonymous: true }), 401, openai('invalid_api_key')],
  [
    "a vendor's own key in place of a credential",
    '/anthropic/v1/messages',
    () => ({ anonymous: true, json: {}, headers: { 'x-api-key': 'sk-ant-api03-canary' } }),
    401,
    { type: 'error', error: { type: 'authentication_error' } },
  ],
  [
    'two credentials',
    '/gemini/v1beta/models/m:generateContent?key=canary',
    () => ({ json: {} }),
    400,
    { error: { code: 400, status: 'INVALID_ARGUMENT' } },
  ],
  [
    'a body that is no JSON',
    '/v1/chat/completions',
    () => ({ body: '{"model": ', headers: { 'Content-Type': 'application/json' } }),
    400,
    { error: { type: 'invalid_request_error' } },
  ],
  [
    'a model without a provider',
    '/v1/chat/completions',
    () => ({ json: { ...CHAT, model: 'nobody/gpt' } }),
    404,
    openai('model_not_found'),
  ],
  [
    'an address of its own for the provider',
    '/mock/v1/chat/completions',
    () => ({ json: { ...CHAT, api_base: 'http://169.254.169.254/' } }),
    400,
    { error: { type: 'invalid_request_error', param: 'api_base' } },
  ],
  [
    'a path that two readers could read differently',
    '/openai/v1/a%2fb',
    () => ({}),
    400,
    { error: { type: 'invalid_request_error' } },
  ],
]
function openai(code: string): object {
  return { error: { message: expect.any(String), type: expect.any(String), code } }
}

describe('bad input gets an error in the shape of the protocol, with the request id in a header', () => {
  it.each(MISTAKES)('%s at %s', async (_what, path, options, status, shape) => {
    for (const service of ['gateway', 'llm-proxy'] as const) {
      const { anonymous, headers, ...request } = options()
      const answer: Answer = await ask(services[service] + path, {
        ...request,
        headers: {
          ...(!anonymous && { Authorization: `Bearer ${owner.token}` }),
          ...headers,
          'X-Request-ID': 'e2e-mistake',
        },
      })
      expect([service, answer.status], JSON.stringify(answer.body)).toEqual([service, status])
      expect(answer.body).toMatchObject(shape)
      expect(answer.headers.get('x-request-id')).toBe('e2e-mistake')
      expect(JSON.stringify(answer.body)).not.toContain('canary')
    }
  })
})
