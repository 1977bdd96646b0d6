import OpenAI, { APIError, APIUserAbortError, AuthenticationError, RateLimitError } from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectClean } from './clean-request.ts'
import { KEY, startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// OpenAI's own SDK: each case straight at the vendor, then through llm-proxy, where the base URL and the key are all that differs.

let vendors: Vendors
let token = ''
let apiKey = ''
beforeAll(async () => {
  vendors = await startVendors()
  token = await vendors.proxy.tokenOf('alice')
  apiKey = vendors.proxy.issuer.apiKey('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
  vendors.upstream.mend()
})

interface Way {
  client: OpenAI
  /** The name of a model on this way. */
  model: (name: string) => string
}

const straight = (): Way => ({
  client: new OpenAI({ baseURL: `${vendors.upstream.url}/v1`, apiKey: KEY }),
  model: (name) => name,
})
const native = (credential = token): Way => ({
  client: new OpenAI({ baseURL: `${vendors.proxy.url}/openai/v1`, apiKey: credential }),
  model: (name) => name,
})
const byModel = (credential = token): Way => ({
  client: new OpenAI({ baseURL: `${vendors.proxy.url}/v1`, apiKey: credential }),
  model: (name) => `openai/${name}`,
})

/** What comes of it, which must be the same on every way. */
async function everyWay<T>(run: (way: Way) => Promise<T>): Promise<T> {
  const result = await run(straight())
  expect(await run(native())).toEqual(result)
  expect(await run(byModel())).toEqual(result)
  expectClean(vendors.upstream, token)
  return result
}

const messages = [{ role: 'user' as const, content: 'Good morning' }]
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
]

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

describe('chat completions', () => {
  test('whole', async () => {
    const { choices, usage } = await everyWay(({ client, model }) =>
      client.chat.completions.create({ model: model('mock-model'), messages }),
    )
    expect(choices[0]?.message.content).toBe('[1234] Good morning')
    expect(usage?.total_tokens).toBe(5)
  })

  test('streamed, the usage chunk only for who asked for it', async () => {
    const chunks = await everyWay(async ({ client, model }) =>
      all(await client.chat.completions.create({ model: model('mock-model'), messages, stream: true })),
    )
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('[1234] Good morning')
    expect(JSON.stringify(chunks)).not.toContain('usage')
    const withUsage = await everyWay(async ({ client, model }) =>
      all(
        await client.chat.completions.create({
          ...{ model: model('mock-model'), messages, stream: true },
          stream_options: { include_usage: true },
        }),
      ),
    )
    expect(withUsage.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 5 } })
  })

  test('tools: called, and answered when their result is there', async () => {
    const first = await everyWay(({ client, model }) =>
      client.chat.completions.create({ model: model('mock-model'), messages, tools }),
    )
    const message = first.choices[0]!.message
    expect(message.tool_calls).toMatchObject([
      { function: { name: 'weather', arguments: '{"city":"morning"}' } },
    ])
    const result = { role: 'tool' as const, tool_call_id: message.tool_calls![0]!.id, content: 'rain' }
    const second = await everyWay(({ client, model }) =>
      client.chat.completions.create({
        ...{ model: model('mock-model'), tools },
        messages: [...messages, message, result],
      }),
    )
    expect(second.choices[0]?.message.content).toBe('[1234] rain')
  })

  test('tools in a stream, put together by the SDK', async () => {
    const completion = await everyWay(({ client, model }) =>
      client.chat.completions.stream({ model: model('mock-model'), messages, tools }).finalChatCompletion(),
    )
    expect(completion.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { arguments: '{"city":"morning"}' },
    })
  })

  test.each(['crlf', 'comments', 'torn', 'gzip', 'chunks-500', 'no-usage'])(
    'a stream that is %s',
    async (name) => {
      const chunks = await everyWay(async ({ client, model }) =>
        all(await client.chat.completions.create({ model: model(name), messages, stream: true })),
      )
      expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
    },
  )
})

test('responses, whole and streamed', async () => {
  const whole = await everyWay(({ client, model }) =>
    client.responses.create({ model: model('mock-model'), input: 'Good morning' }),
  )
  expect(whole.output_text).toBe('[1234] Good morning')
  const events = await everyWay(async ({ client, model }) =>
    all(await client.responses.create({ model: model('mock-model'), input: 'Good morning', stream: true })),
  )
  expect(events.map(({ type }) => type).at(-1)).toBe('response.completed')
  expect(
    events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : [])).join(''),
  ).toBe('[1234] Good morning')
})

test('legacy completions', async () => {
  const { choices } = await everyWay(({ client, model }) =>
    client.completions.create({ model: model('mock-model'), prompt: 'Good morning' }),
  )
  expect(choices[0]?.text).toBe('[1234] Good morning')
})

test('embeddings: base64, as the SDK asks by itself, and numbers', async () => {
  const embed = (encoding_format?: 'float') =>
    everyWay(({ client, model }) =>
      client.embeddings.create({
        ...{ model: model('mock-embedding'), input: ['one', 'two'] },
        ...(encoding_format && { encoding_format }),
      }),
    )
  const { data } = await embed()
  expect(vendors.upstream.seen.at(-1)?.body.toString()).toContain('"encoding_format":"base64"')
  expect(data[0]?.embedding).toHaveLength(16)
  const floats = await embed('float')
  expect(floats.data[1]?.embedding).toEqual([...data[1]!.embedding])
})

test('models, and audio as a form', async () => {
  const list = async ({ client }: Way) => (await client.models.list()).data
  expect(await list(native())).toEqual(await list(straight()))
  const transcribe = ({ client }: Way) =>
    client.audio.transcriptions.create({
      model: 'mock-model',
      file: new File([new Uint8Array(300_000)], 'speech.wav'),
    })
  // The boundary of the form is of the SDK's making, of the same length each time.
  expect(await transcribe(native())).toEqual(await transcribe(straight()))
})

test.each(['mistral', 'openrouter'])('%s, by its path and by the name of the model', async (provider) => {
  const model = 'meta/mock-model'
  const direct = await straight().client.chat.completions.create({ model, messages })
  const at = (path: string) => new OpenAI({ baseURL: vendors.proxy.url + path, apiKey: token })
  expect(await at(`/${provider}/v1`).chat.completions.create({ model, messages })).toEqual(direct)
  const named = { model: `${provider}/${model}`, messages }
  expect(await at('/v1').chat.completions.create(named)).toEqual(direct)
  expectClean(vendors.upstream, token)
})

describe('errors', () => {
  test.each([400, 401, 403, 404, 409, 422, 429, 500, 503])(
    '%i is the class of the vendor, with its words',
    async (status) => {
      const error = await everyWay(async ({ client, model }) => {
        const asked = client.chat.completions.create(
          { model: model(`err-${status}`), messages },
          { maxRetries: 0 },
        )
        const thrown = await asked.catch((reason: unknown) => reason)
        expect(thrown).toBeInstanceOf(APIError)
        const { constructor, status: given, code, type, param, message } = thrown as APIError
        return { name: constructor.name, given, code, type, param, message }
      })
      expect(error.given).toBe(status)
    },
  )

  test('429 with retry-after-ms: the SDK tries three times, and nobody else does', async () => {
    for (const way of [straight(), native(), byModel()]) {
      vendors.upstream.forget()
      const asked = way.client.chat.completions.create({ model: way.model('err-429'), messages })
      await expect(asked).rejects.toBeInstanceOf(RateLimitError)
      expect(vendors.upstream.seen).toHaveLength(3)
      const headers = await asked.catch((error: unknown) => (error as APIError).headers)
      expect((headers as Headers).get('retry-after-ms')).toBe('50')
      expect((headers as Headers).get('x-ratelimit-limit-requests')).toBe('5000')
    }
  })

  test('insufficient_quota keeps its code', async () => {
    const { code } = await everyWay(({ client, model }) =>
      client.chat.completions.create({ model: model('quota'), messages }, { maxRetries: 0 }).then(
        () => ({ code: undefined }),
        (error: unknown) => ({ code: (error as APIError).code }),
      ),
    )
    expect(code).toBe('insufficient_quota')
  })

  test("a frame of the vendor's own in a stream", async () => {
    const error = await everyWay(async ({ client, model }) => {
      const stream = await client.chat.completions.create({
        model: model('error-frame-3'),
        messages,
        stream: true,
      })
      const { message } = (await all(stream).catch((reason: unknown) => reason)) as APIError
      return message
    })
    expect(error).toContain('The server had an error')
  })

  test.each(['reset-3', 'cut-3', 'garbled-3'])(
    'a stream that breaks (%s) throws, where the vendor’s might look complete',
    async (name) => {
      for (const { client, model } of [native(), byModel()]) {
        const stream = await client.chat.completions.create({
          model: model(`chunks-20+${name}`),
          messages,
          stream: true,
        })
        await expect(all(stream)).rejects.toThrow()
      }
    },
  )

  test('what is ours reads as what the SDK knows: no key for a provider, no good token, no such provider', async () => {
    const bob = await vendors.proxy.tokenOf('bob')
    const refused = (way: Way) =>
      way.client.chat.completions
        .create({ model: way.model('mock-model'), messages }, { maxRetries: 0 })
        .catch((error: unknown) => error)
    expect(await refused(native(bob))).toMatchObject({
      status: 403,
      code: 'provider_key_missing',
      message: expect.stringContaining('/keys'),
    })
    expect(await refused(native('not a token'))).toBeInstanceOf(AuthenticationError)
    expect(await refused({ ...byModel(), model: () => 'nowhere/model' })).toMatchObject({ status: 404 })
    expect(vendors.upstream.seen).toHaveLength(0)
  })

  test('a malformed body is 400 in the same shape', async () => {
    for (const path of ['/openai/v1/chat/completions', '/v1/chat/completions']) {
      const answer = await fetch(vendors.proxy.url + path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        body: '{"model":"openai/mock-model",',
      })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: { type: 'invalid_request_error' } })
    }
    expect(vendors.upstream.seen).toHaveLength(0)
  })
})

test('breaking out of a stream, or aborting it, frees the upstream', async () => {
  for (const { client, model } of [straight(), native(), byModel()]) {
    const before = vendors.upstream.aborts
    const stream = await client.chat.completions.create({
      model: model('chunks-100000'),
      messages,
      stream: true,
    })
    for await (const _ of stream) break
    await vendors.upstream.until(() => vendors.upstream.aborts === before + 1)
    const giveUp = new AbortController()
    const asked = client.chat.completions.create(
      { model: model('no-first-byte'), messages },
      { signal: giveUp.signal },
    )
    vendors.upstream.forget()
    await vendors.upstream.until(() => vendors.upstream.seen[0]?.model === 'no-first-byte')
    giveUp.abort()
    await expect(asked).rejects.toBeInstanceOf(APIUserAbortError)
    await vendors.upstream.until(() => vendors.upstream.aborts === before + 2)
  }
})

describe('credentials', () => {
  const chat = ({ client, model }: Way, headers: Record<string, string> = {}) =>
    client.chat.completions.create({ model: model('mock-model'), messages }, { headers, maxRetries: 0 })

  test('an API key of Waybill in the place of the vendor’s', async () => {
    for (const way of [native(apiKey), byModel(apiKey)]) {
      expect((await chat(way)).choices[0]?.message.content).toBe('[1234] Good morning')
      expectClean(vendors.upstream, apiKey)
    }
  })

  test('X-Provider-Key chooses another key of the same user', async () => {
    const other = { provider: 'openai', key: 'sk-the-other-9876', name: 'other' }
    expect((await vendors.proxy.post('/keys', other)).status).toBe(201)
    const { choices } = await chat(native(), { 'X-Provider-Key': 'other' })
    expect(choices[0]?.message.content).toBe('[9876] Good morning')
    expect(vendors.upstream.seen[0]?.headers).not.toHaveProperty('x-provider-key')
    expect((await chat(native())).choices[0]?.message.content).toBe('[1234] Good morning')
  })

  test('the answer’s request id is the platform’s; the vendor’s comes beside it', async () => {
    const { response } = await native()
      .client.chat.completions.create({ model: 'cookies', messages })
      .withResponse()
    expect(response.headers.get('x-provider-request-id')).toMatch(/^req_/)
    expect(response.headers.get('x-request-id')).not.toMatch(/^req_/)
    const names = [...response.headers.keys()]
    const ofOthers = [
      'set-cookie',
      'openai-organization',
      'openai-project',
      'alt-svc',
      'x-hop',
      'x-internal-host',
    ]
    expect(names.filter((name) => ofOthers.includes(name))).toEqual([])
  })
})
