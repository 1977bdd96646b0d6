import { createServer, request } from 'node:http'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { llmProxy } from '@waybill/contracts'
import { loadConfig } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configSchema } from '../src/config.ts'
import { FRONT_DOORS } from '../src/upstreams.ts'
import { gate, listen, raw, stand, urlOf } from './stand.ts'
import type { Stand } from './stand.ts'

let here: Stand
let token: string
beforeEach(async () => {
  here = await stand({ LLM_PROVIDERS: 'vllm,bedrock=anthropic' })
  token = await here.issuer.userToken('ann')
})
afterEach(() => here.close())

const CHAT = '/openai/v1/chat/completions'

function ask(path: string, headers: Record<string, string> = { Authorization: `Bearer ${token}` }) {
  return fetch(here.url + path, { method: 'POST', headers, body: '{"model":"m"}' })
}

/** A request that is still being sent, and its answer. */
function begin(path: string, options: { method?: string } = {}) {
  const headers = { Authorization: `Bearer ${token}` }
  const sent: ClientRequest = request(here.url + path, { method: 'POST', headers, ...options })
  sent.on('error', () => undefined)
  const answer = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve))
  return { sent, answer }
}

describe('a credential where an SDK of a vendor puts it', () => {
  test.each<[string, string, (credential: string) => [path: string, headers: Record<string, string>]]>([
    ['OpenAI', CHAT, (credential) => [CHAT, { Authorization: `Bearer ${credential}` }]],
    ['Anthropic', '/anthropic/v1/messages', (key) => ['/anthropic/v1/messages', { 'X-Api-Key': key }]],
    ['Google', '/gemini/v1beta/x', (key) => ['/gemini/v1beta/x', { 'x-goog-api-key': key }]],
    ['Azure', '/vllm/v1/x', (key) => ['/vllm/v1/x', { 'api-key': key }]],
    ['curl', '/gemini/v1beta/x?alt=sse&a=%2F', (key) => [`/gemini/v1beta/x?alt=sse&key=${key}&a=%2F`, {}]],
    ['curl', '/gemini/v1beta/x', (key) => [`/gemini/v1beta/x?%6Bey=${key}`, {}]],
    ['OpenAI, on /llm', '/llm', (credential) => ['/llm', { Authorization: `Bearer ${credential}` }]],
    ['Google, on /execute', '/execute', (key) => ['/execute', { 'x-goog-api-key': key }]],
    ['Anthropic, on /tokenize', '/tokenize', (key) => ['/tokenize', { 'X-Api-Key': key }]],
  ])("%s's: is exchanged, and does not go any further", async (_vendor, path, place) => {
    for (const credential of [token, here.issuer.apiKey('ann')]) {
      here.behind.arrivals.length = 0
      const [target, headers] = place(credential)
      expect((await ask(target, headers)).status).toBe(200)
      expect(here.behind.arrivals).toHaveLength(1)
      expect(here.behind.arrivals[0]?.url).toBe(path)
      expect(here.behind.arrivals[0]?.headers).toMatchObject({
        ...{ authorization: 'Bearer obo-llm-proxy', 'x-user-id': 'ann' },
      })
      expect(JSON.stringify(here.behind.arrivals)).not.toContain(credential)
    }
  })

  test('is asked for nowhere else', async () => {
    const key = here.issuer.apiKey('ann')
    for (const path of ['/keys', '/usage', '/data/v1/x', '/unnamed/v1/x']) {
      const answer = await ask(path, { 'x-goog-api-key': key })
      expect([path, [401, 404].includes(answer.status)]).toEqual([path, true])
    }
    expect((await ask('/keys', { Authorization: `Bearer ${key}` })).status).toBe(401)
    for (const path of ['/llm', '/execute', '/tokenize'])
      expect([path, (await ask(`${path}?key=${key}`, {})).status]).toEqual([path, 401])
    expect(here.behind.arrivals).toEqual([])
  })

  test('elsewhere a parameter named key is what it says', async () => {
    await ask('/data/v1/x?key=a')
    expect(here.behind.arrivals[0]?.url).toBe('/v1/x?key=a')
  })
})

describe("an error of the door has the shape of the vendor's", () => {
  test.each([
    ['/openai/v1/x', { error: { type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }],
    ['/v1/x', { error: { type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }],
    ['/vllm/v1/x', { error: { type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }],
    ['/anthropic/v1/x', { type: 'error', error: { type: 'authentication_error' } }],
    ['/bedrock/v1/x', { type: 'error', error: { type: 'authentication_error' } }],
    ['/gemini/v1beta/x', { error: { code: 401, status: 'UNAUTHENTICATED' } }],
    ['/gemini/v1beta/openai/x', { error: { type: 'invalid_request_error', code: 'invalid_api_key' } }],
  ])('at %s: %j', async (path, shape) => {
    const answer = await ask(path, { 'x-api-key': 'sk-a-vendors-own' })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(await answer.json()).toMatchObject(shape)
  })

  test('when llm-proxy is down, too', async () => {
    await here.behind.close()
    const answer = await ask('/anthropic/v1/messages')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({
      ...{ type: 'error', error: { type: 'api_error' }, request_id: answer.headers.get('x-request-id') },
    })
  })

  test.each([
    '/v1/chat%2fcompletions',
    '/v1/models/..%2f..%2fkeys',
    '/v1/models/%2e%2e%2fkeys',
    '/v1/models/%2fx',
    '/v1/models/a%5cb',
    '/openai/v1/models/a%2fb',
  ])('and so has that of a path that two readers could read differently: %s', async (target) => {
    const answer = await raw(here.port, `GET ${target} HTTP/1.1`, `Authorization: Bearer ${token}`)
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('"type":"invalid_request_error"')
    expect(here.behind.arrivals).toEqual([])
  })

  test('and never quotes what was in the query', async () => {
    const answer = await raw(
      here.port,
      'GET /gemini//v1?key=canary HTTP/1.1',
      `Authorization: Bearer ${token}`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).not.toContain('canary')
  })
})

describe('an answer of llm-proxy', () => {
  test("keeps the vendors' headers and every byte", async () => {
    const headers = {
      ...{ 'retry-after': '7', 'retry-after-ms': '6500', 'x-should-retry': 'false', 'request-id': 'req_1' },
      ...{
        'x-ratelimit-remaining-tokens': '10',
        'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:00Z',
      },
      ...{ 'x-provider-request-id': 'p1', 'openai-processing-ms': '3' },
    }
    here.behind.handle = (req, res) => {
      req.resume()
      res.writeHead(429, headers).end('{ "error" : {"a": 12345678901234567890} }')
    }
    const answer = await ask(CHAT)
    expect(answer.status).toBe(429)
    for (const [name, value] of Object.entries(headers)) expect(answer.headers.get(name)).toBe(value)
    expect(await answer.text()).toBe('{ "error" : {"a": 12345678901234567890} }')
  })

  test('may take longer than the others, whole or as a stream', async () => {
    await here.close()
    const patience = { REQUEST_TIMEOUT_MS: '1000', CLIENT_TIMEOUT_MS: '1000', LLM_TIMEOUT_MS: '60000' }
    here = await stand(patience)
    token = await here.issuer.userToken('ann')
    const late = gate()
    here.behind.handle = (req, res) => {
      req.resume()
      if (req.url !== CHAT) return
      void late.promise.then(() => {
        res.write('one ')
        setImmediate(() => res.end('two'))
      })
    }
    const answer = ask(CHAT)
    // Over when the usual time is, by the same clock.
    expect((await ask('/data/v1/x')).status).toBe(504)
    late.resolve()
    expect(await (await answer).text()).toBe('one two')
    expect(
      Number(here.behind.arrivals.find(({ url }) => url === CHAT)?.headers['x-request-timeout-ms']),
    ).toBeGreaterThan(50_000)
  })

  test('that streams keeps no other call waiting, and one too many of them waits not long: 503', async () => {
    await here.close()
    here = await stand({ LLM_MAX_SOCKETS: '2', LLM_CONNECT_TIMEOUT_MS: '200', CLIENT_MAX_SOCKETS: '1' })
    token = await here.issuer.userToken('ann')
    here.behind.handle = (req, res) => {
      req.resume()
      if (req.url === CHAT) res.writeHead(200).write('data: {}\n\n')
      else res.end('keys')
    }
    const streams = [await ask(CHAT), await ask(CHAT)]
    expect(await (await ask('/keys')).text()).toBe('keys')
    const refused = await ask(CHAT)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await refused.json()).toMatchObject({ error: { type: 'server_error' } })
    await streams[0]!.body!.cancel()
    const next = await ask(CHAT)
    expect(next.status).toBe(200)
    for (const stream of [streams[1]!, next]) await stream.body!.cancel()
  })

  test('that is a 401 of a provider says nothing of the token that llm-proxy was sent', async () => {
    here.behind.handle = (req, res) => {
      req.resume()
      res.writeHead(401).end('{"error":{"code":"invalid_api_key"}}')
    }
    for (const _ of [1, 2, 3]) expect((await ask(CHAT)).status).toBe(401)
    expect(here.exchanges).toHaveLength(1)
  })

  test('that breaks off in the middle of a stream is never a clean end', async () => {
    const seen = gate()
    here.behind.handle = (req, res) => {
      req.resume()
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: {}\n\n')
      void seen.promise.then(() => res.destroy())
    }
    const answer = await ask(CHAT)
    const reader = answer.body!.getReader()
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: {}\n\n')
    seen.resolve()
    await expect(reader.read()).rejects.toThrow()
  })
})

describe('a client that goes away ends the call to the provider behind llm-proxy', () => {
  /** A provider, and llm-proxy in front of it as it is meant to be: a request that is given up is given up there. */
  async function provider(answer: (res: ServerResponse) => void) {
    const arrived = gate()
    const gone = Promise.withResolvers<boolean>()
    const server = createServer((req, res) => {
      req.resume()
      res.once('close', () => gone.resolve(!res.writableFinished))
      answer(res)
      arrived.resolve()
    })
    await listen(server)
    here.behind.handle = (req, res) => {
      const onward = request(urlOf(server) + (req.url ?? ''), { method: 'POST' }, (upstream) => {
        res.writeHead(upstream.statusCode ?? 0, upstream.headers)
        res.flushHeaders()
        upstream.pipe(res)
      })
      onward.on('error', () => undefined)
      res.once('close', () => onward.destroy())
      req.pipe(onward)
    }
    return { arrived: arrived.promise, gone: gone.promise, close: () => server.close() }
  }

  const head = (res: ServerResponse): void => {
    res.writeHead(200).flushHeaders()
  }
  const begun = (res: ServerResponse): void => {
    res.writeHead(200).write('data: {}\n\n')
  }
  test.each<[string, (res: ServerResponse) => void, boolean]>([
    ['before the head', () => undefined, false],
    ['before the first chunk', head, true],
    ['in the middle', begun, true],
  ])('%s', async (_stage, behave, answers) => {
    const { arrived, gone, close } = await provider(behave)
    const { sent, answer } = begin(CHAT)
    sent.end('{}')
    await arrived
    if (answers) (await answer).on('error', () => undefined).resume()
    sent.destroy()
    expect(await gone).toBe(true)
    close()
  })

  test('while it is still sending', async () => {
    const { arrived, gone, close } = await provider(() => undefined)
    const { sent } = begin(CHAT)
    sent.write('{"model":')
    await arrived
    sent.destroy()
    expect(await gone).toBe(true)
    close()
  })
})

test('a long body is not held back: its first bytes are there before the last are sent', async () => {
  const first = Promise.withResolvers<string>()
  here.behind.handle = (req, res) => {
    req.once('data', (chunk: Buffer) => first.resolve(chunk.toString()))
    void text(req).then((body) => res.end(body))
  }
  const { sent, answer } = begin('/openai/v1/audio/transcriptions')
  sent.write('first')
  expect(await first.promise).toBe('first')
  sent.end(' last')
  expect(await text(await answer)).toBe('first last')
})

test('every path of a door is taken, so that no provider can have it', () => {
  const names = FRONT_DOORS.map(({ path }) => path.split('/')[1] ?? '').filter(
    (name) => !name.startsWith('.'),
  )
  expect(names.filter((name) => !llmProxy.TAKEN_NAMES.has(name))).toEqual([])
})

test.each(['auth', 'data', 'openai', 'v1', 'livez', 'A', 'a/b', 'x=cohere', 'x='])(
  'LLM_PROVIDERS=%s stops the start',
  (LLM_PROVIDERS) => {
    const environment = { SERVICE_SECRET: 'x', AUTH_SERVICE_URL: 'http://127.0.0.1:1', LLM_PROVIDERS }
    expect(() => loadConfig(configSchema, environment)).toThrow('LLM_PROVIDERS')
  },
)
