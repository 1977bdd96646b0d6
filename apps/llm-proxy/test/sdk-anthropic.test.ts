import Anthropic, { APIError, APIUserAbortError, RateLimitError } from '@anthropic-ai/sdk'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectClean } from './clean-request.ts'
import { KEY, startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// Anthropic's own SDK: each case straight at the vendor, then through llm-proxy, where the base URL and the key are all that differs.

let vendors: Vendors
let token = ''
beforeAll(async () => {
  vendors = await startVendors()
  token = await vendors.proxy.tokenOf('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
  vendors.upstream.mend()
})

const straight = () => new Anthropic({ baseURL: vendors.upstream.url, apiKey: KEY })
const proxied = (credential = token) =>
  new Anthropic({ baseURL: `${vendors.proxy.url}/anthropic`, apiKey: credential })

/** What comes of it, which must be the same on both ways. */
async function bothWays<T>(run: (client: Anthropic) => Promise<T>): Promise<T> {
  const result = await run(straight())
  expect(await run(proxied())).toEqual(result)
  expectClean(vendors.upstream, token)
  return result
}

const ask = (model = 'mock-model') => ({
  model,
  max_tokens: 100_000,
  messages: [{ role: 'user' as const, content: 'Good morning' }],
})
const tools = [
  {
    name: 'weather',
    input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
  },
]
const once = { maxRetries: 0 }

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

test('messages, whole', async () => {
  // Without a stream the SDK refuses to ask for as many tokens as may take ten minutes.
  const { content, usage } = await bothWays((client) => client.messages.create({ ...ask(), max_tokens: 100 }))
  expect(content).toEqual([{ type: 'text', text: '[1234] Good morning' }])
  expect(usage).toMatchObject({ input_tokens: 2, output_tokens: 3 })
})

test('messages, streamed: every event, and what the SDK makes of them', async () => {
  const events = await bothWays(async (client) =>
    all(await client.messages.create({ ...ask(), stream: true })),
  )
  expect(events.map(({ type }) => type).at(-1)).toBe('message_stop')
  const message = await bothWays((client) => client.messages.stream(ask()).finalMessage())
  expect(message.content).toMatchObject([{ text: '[1234] Good morning' }])
  expect(message.usage.output_tokens).toBe(3)
})

test('tools, whole and streamed, and their results', async () => {
  const used = { type: 'tool_use', name: 'weather', input: { city: 'morning' } }
  const whole = await bothWays((client) => client.messages.create({ ...ask(), max_tokens: 100, tools }))
  expect(whole).toMatchObject({ stop_reason: 'tool_use', content: [used] })
  const streamed = await bothWays((client) => client.messages.stream({ ...ask(), tools }).finalMessage())
  expect(streamed.content).toEqual(whole.content)
  const result = { type: 'tool_result' as const, tool_use_id: 'toolu_1', content: 'rain' }
  const messages = [
    ...ask().messages,
    { role: 'assistant' as const, content: whole.content },
    { role: 'user' as const, content: [result] },
  ]
  const answer = await bothWays((client) =>
    client.messages.create({ ...ask(), max_tokens: 100, messages, tools }),
  )
  expect(answer.content).toMatchObject([{ text: '[1234] rain' }])
})

test('token counts and models', async () => {
  const count = await bothWays((client) =>
    client.messages.countTokens({ ...ask(), max_tokens: undefined } as never),
  )
  expect(count).toEqual({ input_tokens: 2 })
  const models = await bothWays(async (client) => (await client.models.list()).data)
  expect(models[0]?.id).toBe('mock-model')
})

test('anthropic-version and anthropic-beta arrive as the client sent them', async () => {
  const headers = { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'context-1m-2025-08-07' }
  await proxied().messages.create({ ...ask(), max_tokens: 100 }, { headers })
  expect(vendors.upstream.seen[0]?.headers).toMatchObject(headers)
  await proxied().messages.create({ ...ask(), max_tokens: 100 })
  await straight().messages.create({ ...ask(), max_tokens: 100 })
  const [, through, direct] = vendors.upstream.seen
  expect(through?.headers['anthropic-version']).toBe(direct?.headers['anthropic-version'])
})

test.each(['crlf', 'comments', 'torn', 'gzip', 'chunks-500', 'no-usage'])(
  'a stream that is %s',
  async (name) => {
    const events = await bothWays(async (client) =>
      all(await client.messages.create({ ...ask(name), stream: true })),
    )
    expect(events.at(-1)?.type).toBe('message_stop')
  },
)

describe('errors', () => {
  test.each([400, 401, 402, 403, 404, 409, 413, 429, 500, 504, 529])(
    '%i is the class of the vendor, with its body and request id',
    async (status) => {
      const error = await bothWays(async (client) => {
        const thrown = await client.messages
          .create({ ...ask(`err-${status}`), max_tokens: 100 }, once)
          .catch((reason: unknown) => reason)
        expect(thrown).toBeInstanceOf(APIError)
        const { constructor, status: given, message, error: body } = thrown as APIError
        return { name: constructor.name, given, message, body }
      })
      expect(error.given).toBe(status)
      expect(error.body).toHaveProperty('request_id')
    },
  )

  test.each([429, 529])(
    '%i with retry-after-ms: the SDK tries three times, and nobody else does',
    async (status) => {
      for (const client of [straight(), proxied()]) {
        vendors.upstream.forget()
        const asked = client.messages.create({ ...ask(`err-${status}`), max_tokens: 100 })
        const error = (await asked.catch((reason: unknown) => reason)) as APIError
        expect(error.status).toBe(status)
        expect(vendors.upstream.seen).toHaveLength(3)
        expect(error.headers?.get('retry-after-ms')).toBe('50')
        expect(error.headers?.get('anthropic-ratelimit-requests-limit')).toBe('50')
      }
    },
  )

  test("a frame of the vendor's own in a stream", async () => {
    const message = await bothWays(async (client) => {
      const stream = await client.messages.create({ ...ask('error-frame-4'), stream: true })
      return ((await all(stream).catch((reason: unknown) => reason)) as APIError).message
    })
    expect(message).toContain('overloaded_error')
  })

  test.each(['reset-4', 'cut-4', 'garbled-4'])('a stream that breaks (%s) throws', async (name) => {
    const stream = await proxied().messages.create({ ...ask(`chunks-20+${name}`), stream: true })
    await expect(all(stream)).rejects.toThrow()
  })

  test('what is ours has the shape of the vendor', async () => {
    const bob = proxied(await vendors.proxy.tokenOf('bob'))
    const missing = await bob.messages
      .create({ ...ask(), max_tokens: 100 }, once)
      .catch((error: unknown) => error)
    expect(missing).toMatchObject({
      status: 403,
      error: {
        type: 'error',
        error: { type: 'permission_error', message: expect.stringContaining('/keys') },
      },
    })
    const stranger = proxied('not a token').messages.create({ ...ask(), max_tokens: 100 }, once)
    await expect(stranger).rejects.toMatchObject({
      status: 401,
      error: { error: { type: 'authentication_error' } },
    })
    vendors.upstream.fail({ kind: 'redirect' })
    const redirected = proxied().messages.create({ ...ask(), max_tokens: 100 }, once)
    await expect(redirected).rejects.toMatchObject({ status: 502, error: { error: { type: 'api_error' } } })
    expect(vendors.upstream.seen).toHaveLength(1)
  })
})

test('aborting, before the head and in the midst, frees the upstream', async () => {
  for (const client of [straight(), proxied()]) {
    const before = vendors.upstream.aborts
    const stream = client.messages.stream(ask('chunks-100000'))
    stream.on('text', () => {
      stream.abort()
    })
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(APIUserAbortError)
    await vendors.upstream.until(() => vendors.upstream.aborts === before + 1)

    vendors.upstream.forget()
    const giveUp = new AbortController()
    const asked = client.messages.create(
      { ...ask('no-first-byte'), max_tokens: 100 },
      { signal: giveUp.signal },
    )
    await vendors.upstream.until(() => vendors.upstream.seen[0]?.model === 'no-first-byte')
    giveUp.abort()
    await expect(asked).rejects.toBeInstanceOf(APIUserAbortError)
    await vendors.upstream.until(() => vendors.upstream.aborts === before + 2)
  }
})

test('an API key of Waybill: as the key, and in X-Api-Key, where the SDK had it before 1.0', async () => {
  const apiKey = vendors.proxy.issuer.apiKey('alice')
  const said = async (client: Anthropic) =>
    (await client.messages.create({ ...ask(), max_tokens: 100 }, once)).content
  const expected = await said(straight())
  expect(await said(proxied(apiKey))).toEqual(expected)
  expectClean(vendors.upstream, apiKey)
  for (const credential of [apiKey, token]) {
    const old = new Anthropic({
      ...{ baseURL: `${vendors.proxy.url}/anthropic`, apiKey: null, authToken: null },
      defaultHeaders: { 'X-Api-Key': credential },
    })
    expect(await said(old)).toEqual(expected)
    expectClean(vendors.upstream, credential)
  }
})

test('RateLimitError is what a limit of ours is to the SDK', async () => {
  const limited = await startVendors({ LLM_REQUESTS_PER_MINUTE: 'free=1,standard=1,premium=1' })
  try {
    const client = new Anthropic({
      ...{ baseURL: `${limited.proxy.url}/anthropic`, maxRetries: 0 },
      apiKey: await limited.proxy.tokenOf('alice'),
    })
    await client.messages.create({ ...ask(), max_tokens: 100 })
    const error = await client.messages
      .create({ ...ask(), max_tokens: 100 })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RateLimitError)
    expect(Number((error as APIError).headers?.get('retry-after-ms'))).toBeGreaterThan(0)
    expect(limited.upstream.seen).toHaveLength(1)
  } finally {
    await limited.close()
  }
})
