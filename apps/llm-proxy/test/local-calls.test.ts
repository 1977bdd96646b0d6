import type { llmProxy } from '@waybill/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
/** Each test has a user of its own. */
let user: string
let users = 0
beforeAll(async () => {
  setting = await startSetting({
    LLM_REQUESTS_PER_MINUTE: 'free=5',
    LLM_TOKENS_PER_MINUTE: 'free=2000',
    LLM_CONCURRENT_REQUESTS: 'free=1',
  })
})
beforeEach(() => {
  users += 1
  user = `user-${users}`
})
afterAll(() => setting.close())

const post = (path: string, body: object) => setting.post(path, body, user)

const LONG = 'The ferry leaves at noon. '.repeat(60)
const asked = { prompt: `${LONG}When does the ferry leave?` }
const chat = { model: 'local/extractive', messages: [{ role: 'user', content: asked.prompt }] }
const embeddings = { model: 'local/hash-embedding-256', input: LONG }
const EMBEDDING = 'hash-embedding-256'
const document = { name: 'ferry.txt', text: LONG }

async function usage(): Promise<llmProxy.UsageReport> {
  const answer = await fetch(`${setting.url}/usage?by=provider,model`, {
    headers: { Authorization: `Bearer ${await setting.tokenOf(user)}` },
  })
  return (await answer.json()) as llmProxy.UsageReport // as its contract says
}

describe('what a model of ours answers', () => {
  it.each<[string, string, string, object]>([
    ['a reply', 'extractive', '/llm', asked],
    ['a reply that streams', 'extractive', '/llm', { ...asked, stream: true }],
    ['a chat completion', 'extractive', '/v1/chat/completions', chat],
    ['one that streams', 'extractive', '/v1/chat/completions', { ...chat, stream: true }],
    ['embeddings', EMBEDDING, '/v1/embeddings', embeddings],
    ['embed', EMBEDDING, '/execute', { operation: 'embed', input: { texts: [LONG] } }],
    ['summarize', 'extractive', '/execute', { operation: 'summarize', input: { text: LONG } }],
    ['index', EMBEDDING, '/execute', { operation: 'index', input: { document } }],
    ['answer', 'extractive', '/execute', { operation: 'answer', input: { question: 'When does it leave?' } }],
  ])('is one call of the user in /usage, with its tokens: %s', async (_name, model, path, body) => {
    const answer = await post(path, body)
    expect(answer.status).toBe(200)
    expect(answer.headers['x-waybill-ratelimit-remaining-requests']).toBe('4')
    const { items } = await usage()
    expect(items).toMatchObject([{ provider: 'local', model: `local/${model}`, requests: 1, failures: 0 }])
    expect(items[0]?.input_tokens).toBeGreaterThan(0)
  })

  it('is bounded by the tokens of a minute', async () => {
    const text = 'word '.repeat(1_000)
    expect((await post('/v1/embeddings', { ...embeddings, input: text })).status).toBe(200)
    for (const [path, body] of [
      ['/v1/embeddings', { ...embeddings, input: text }],
      ['/execute', { operation: 'summarize', input: { text } }],
      ['/llm', { prompt: text }],
    ] as const) {
      const refused = await post(path, body)
      expect([path, refused.status]).toEqual([path, 429])
      expect(refused.text).toContain('tokens')
    }
  })

  it('is bounded by the requests of a minute, as is what only counts tokens', async () => {
    for (let call = 0; call < 5; call += 1) {
      expect((await post('/tokenize', { text: 'one' })).status).toBe(200)
    }
    for (const [path, body] of [
      ['/tokenize', { text: 'one' }],
      ['/execute', { operation: 'tokenize', input: { text: 'one' } }],
      ['/v1/chat/completions', chat],
    ] as const) {
      const refused = await post(path, body)
      expect([path, refused.status]).toEqual([path, 429])
      expect(refused.text).toContain('requests')
    }
    expect((await setting.post('/tokenize', { text: 'one' }, 'somebody else')).status).toBe(200)
  })

  it('gives its place back however it ends', async () => {
    expect((await post('/v1/embeddings', { ...embeddings, dimensions: 5 })).status).toBe(400)
    expect((await post('/tokenize', { text: 'one', model: 'nobody-knows' })).status).toBe(400)
    expect((await post('/llm', asked)).status).toBe(200)
    const { items } = await usage()
    expect(items.find(({ model }) => model === 'local/extractive')).toMatchObject({
      requests: 1,
      failures: 0,
    })
    expect(items.find(({ model }) => model === 'local/hash-embedding-256')).toMatchObject({
      ...{ requests: 1, failures: 1, input_tokens: 0 },
    })
  })
})
