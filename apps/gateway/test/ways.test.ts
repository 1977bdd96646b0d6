import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { raw, stand } from './stand.ts'
import type { Stand } from './stand.ts'

let here: Stand
let bearer: string
beforeAll(async () => {
  here = await stand({ LLM_PROVIDERS: 'vllm' })
  bearer = `Authorization: Bearer ${await here.issuer.userToken('ann')}`
})
beforeEach(() => {
  here.behind.arrivals.length = 0
  here.auth.arrivals.length = 0
  here.exchanges.length = 0
})
afterAll(() => here.close())

const get = async (target: string): Promise<{ status: number; answer: string }> => {
  const answer = await raw(here.port, `GET ${target} HTTP/1.1`, bearer)
  return { status: Number(answer.split(' ')[1]), answer }
}

describe('every way in leads', () => {
  test.each([
    ['/llm', 'llm-proxy', '/llm'],
    ['/execute', 'llm-proxy', '/execute'],
    ['/tokenize', 'llm-proxy', '/tokenize'],
    ['/v1/chat/completions', 'llm-proxy', '/v1/chat/completions'],
    ['/v1/embeddings', 'llm-proxy', '/v1/embeddings'],
    ['/v1/models', 'llm-proxy', '/v1/models'],
    ['/v1/models/x', 'llm-proxy', '/v1/models/x'],
    ['/v1/models/openai%2Fgpt-5', 'llm-proxy', '/v1/models/openai%2Fgpt-5'],
    ['/keys', 'llm-proxy', '/keys'],
    ['/keys/1/rotate', 'llm-proxy', '/keys/1/rotate'],
    ['/usage', 'llm-proxy', '/usage'],
    ['/usage/budgets/1', 'llm-proxy', '/usage/budgets/1'],
    ['/openai/v1/responses', 'llm-proxy', '/openai/v1/responses'],
    ['/anthropic/v1/messages', 'llm-proxy', '/anthropic/v1/messages'],
    [
      '/gemini/v1beta/models/x:streamGenerateContent?alt=sse',
      'llm-proxy',
      '/gemini/v1beta/models/x:streamGenerateContent?alt=sse',
    ],
    ['/mistral/v1/fim/completions', 'llm-proxy', '/mistral/v1/fim/completions'],
    ['/openrouter/v1/models', 'llm-proxy', '/openrouter/v1/models'],
    ['/OpenAI/v1/models', 'llm-proxy', '/OpenAI/v1/models'],
    ['/vllm/v1/models', 'llm-proxy', '/vllm/v1/models'],
    ['/docling/v1/convert/file', 'docling', '/v1/convert/file'],
    ['/data/v1/postgres/collections/c/records', 'data_store', '/v1/postgres/collections/c/records'],
    ['/work/api/projects', 'work-platform', '/api/projects'],
    ['/DATA/v1/x', 'data_store', '/v1/x'],
    ['/data/data/x', 'data_store', '/data/x'],
  ])('from %s to %s, there %s', async (target, audience, url) => {
    expect((await get(target)).status).toBe(200)
    expect(here.behind.arrivals).toMatchObject([{ method: 'GET', url }])
    const already = here.exchanges.length === 0
    if (!already) expect(here.exchanges[0]?.get('audience')).toBe(audience)
    expect(here.behind.arrivals[0]?.headers.authorization).toBe(`Bearer obo-${audience}`)
  })

  test('from /auth/me to auth-service, under the same path', async () => {
    expect((await get('/auth/me')).status).toBe(200)
    expect(here.auth.arrivals.at(-1)).toMatchObject({ url: '/auth/me' })
  })

  test.each([
    '/',
    '/api/baskets',
    '/api/dumps/new',
    '/substrate-api/api/baskets',
    '/substrate/api/baskets',
    '/oauth/token',
    '/data',
    '/data/',
    '/docling',
    '/llm/x',
    '/openai',
    '/openai/',
    '/v1',
    '/unnamed/v1/models',
    '/datax/v1',
  ])('and from %s nowhere', async (target) => {
    const { status, answer } = await get(target)
    expect(status).toBe(404)
    expect(answer).toContain('"code":"not_found"')
    expect(here.behind.arrivals).toEqual([])
    expect(here.auth.arrivals).toEqual([])
  })
})

describe('what a service tells those who run it', () => {
  test.each(['/metrics', '/METRICS', '/metrics/', '/Livez', '/readyz//'])(
    'is not for users: %s',
    async (path) => {
      for (const prefix of ['/docling', '/data', '/work']) {
        const { status } = await get(prefix + path)
        expect([prefix, [400, 404].includes(status)]).toEqual([prefix, true])
      }
      expect(here.behind.arrivals).toEqual([])
    },
  )
})

describe('what stands behind the question mark', () => {
  test.each([
    '?',
    '?q=1&q=2',
    "?q=it's",
    '?q=a+b%20c',
    '?q=%zz',
    '?a[b]=c&d[]=e',
    '?u=http://x/../y//z;a#'.slice(0, -1),
    '?x="<>`{}|\\^',
    '??x',
    '?x=%2F%2e%2E',
  ])('%s arrives byte for byte', async (query) => {
    expect((await get(`/data/v1/x${query}`)).status).toBe(200)
    expect(here.behind.arrivals[0]?.url).toBe(`/v1/x${query}`)
  })
})

describe('a path that two readers could read differently is 400 and goes nowhere', () => {
  test.each([
    '/data/../work/x',
    '/data/..',
    '/data/./x',
    '/data/v1/..%2f..%2fx',
    '/data/%2e%2e/work',
    '/data/%2E%2E/work',
    '/data/.%2e/work',
    '/data/v1/%2e/x',
    '/data//work',
    '/data/v1//x',
    '/data/a%2fb',
    '/data/a%5cb',
    '/data/a\\b',
    '/data/..;/x',
    '/data/a;b=c',
    '/data/v1/x/..?q=1',
  ])('%s', async (target) => {
    const { status, answer } = await get(target)
    expect(status).toBe(400)
    expect(answer).toContain('application/problem+json')
    expect(here.behind.arrivals).toEqual([])
    expect(here.exchanges).toEqual([])
  })

  test.each(['http://127.0.0.1/data/v1/x', 'http://evil.test/llm', '*', '//evil.test/data/v1/x'])(
    'and so is, or is not there at all, the target %s',
    async (target) => {
      expect([400, 404]).toContain((await get(target)).status)
      expect(here.behind.arrivals).toEqual([])
    },
  )

  test('but a dot, a tilde or an encoded space within a segment is none', async () => {
    for (const path of ['/v1/a.b', '/v1/..a', '/v1/a..', '/v1/~a', '/v1/a%20b', '/v1/%C3%A4']) {
      expect((await get(`/data${path}`)).status).toBe(200)
      expect(here.behind.arrivals.at(-1)?.url).toBe(path)
    }
  })
})

describe('a redirect of a service behind', () => {
  test.each([
    ['/work/x', '/login?next=1', '/work/login?next=1'],
    ['/llm', '/elsewhere', '/elsewhere'],
    ['/work/x', 'https://example.org/x', 'https://example.org/x'],
  ])('from %s to %s is told as %s, not followed', async (target, location, told) => {
    here.behind.handle = (req, res) => {
      req.resume()
      res.writeHead(303, { Location: location }).end()
    }
    const { status, answer } = await get(target)
    expect(status).toBe(303)
    expect(answer.toLowerCase()).toContain(`\r\nlocation: ${told}\r\n`)
    expect(here.behind.arrivals).toHaveLength(1)
  })
})
