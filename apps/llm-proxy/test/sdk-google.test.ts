import { ApiError, GoogleGenAI } from '@google/genai'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { expectClean } from './clean-request.ts'
import { KEY, startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// Google's own SDK: each case straight at the vendor, then through llm-proxy, where the base URL and the key are all that differs.

let vendors: Vendors
let token = ''
beforeAll(async () => {
  vendors = await startVendors()
  token = await vendors.proxy.tokenOf('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
})

const clientAt = (baseUrl: string, apiKey: string) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl } })
const straight = () => clientAt(vendors.upstream.url, KEY)
const proxied = (credential = token) => clientAt(`${vendors.proxy.url}/gemini`, credential)

async function bothWays<T>(run: (client: GoogleGenAI) => Promise<T>): Promise<T> {
  const result = await run(straight())
  expect(await run(proxied())).toEqual(result)
  expectClean(vendors.upstream, token)
  return result
}

const ask = (model = 'mock-model') => ({ model, contents: 'Good morning' })

test('content, whole and streamed, with its usage', async () => {
  const whole = await bothWays(async ({ models }) => {
    const { text, usageMetadata } = await models.generateContent(ask())
    return { text, usageMetadata }
  })
  expect(whole.text).toBe('[1234] Good morning')
  expect(whole.usageMetadata?.totalTokenCount).toBe(5)
  const parts = await bothWays(async ({ models }) => {
    const texts: (string | undefined)[] = []
    for await (const { text } of await models.generateContentStream(ask())) texts.push(text)
    return texts
  })
  expect(parts.join('')).toBe('[1234] Good morning')
})

test('tools, token counts, embeddings', async () => {
  const functionDeclarations = [
    { name: 'weather', parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } } } },
  ]
  const calls = await bothWays(async ({ models }) => {
    const { functionCalls } = await models.generateContent({
      ...ask(),
      config: { tools: [{ functionDeclarations }] },
    })
    return functionCalls
  })
  expect(calls).toMatchObject([{ name: 'weather', args: { city: 'morning' } }])
  const count = await bothWays(async ({ models }) => (await models.countTokens(ask())).totalTokens)
  expect(count).toBe(2)
  const vectors = await bothWays(async ({ models }) => (await models.embedContent(ask())).embeddings)
  expect(vectors?.[0]?.values).toHaveLength(16)
})

test.each([400, 403, 404, 500])('%i of the vendor keeps its words', async (status) => {
  const error = await bothWays(async ({ models }) => {
    const thrown = await models.generateContent(ask(`err-${status}`)).catch((reason: unknown) => reason)
    expect(thrown).toBeInstanceOf(ApiError)
    const { message, status: given } = thrown as ApiError
    return { message, given }
  })
  expect(error.given).toBe(status)
})

test('what is ours has the shape of the vendor', async () => {
  const bob = proxied(await vendors.proxy.tokenOf('bob'))
  const thrown = (await bob.models.generateContent(ask()).catch((error: unknown) => error)) as ApiError
  expect(thrown.status).toBe(403)
  expect(thrown.message).toContain('PERMISSION_DENIED')
  expect(thrown.message).toContain('/keys')
})

test('an API key of Waybill, in the header and in `?key=`', async () => {
  const apiKey = vendors.proxy.issuer.apiKey('alice')
  expect((await proxied(apiKey).models.generateContent(ask())).text).toBe('[1234] Good morning')
  expectClean(vendors.upstream, apiKey)
  const answer = await fetch(
    `${vendors.proxy.url}/gemini/v1beta/models/mock-model:generateContent?key=${apiKey}`,
    {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Good morning' }] }] }),
    },
  )
  expect(await answer.text()).toContain('[1234] Good morning')
  expectClean(vendors.upstream, apiKey)
  expect(vendors.upstream.seen.at(-1)?.url).not.toContain('key=')
})

test('an abort in the midst of a stream frees the upstream', async () => {
  for (const { models } of [straight(), proxied()]) {
    const before = vendors.upstream.aborts
    const giveUp = new AbortController()
    const stream = await models.generateContentStream({
      ...ask('chunks-100000'),
      config: { abortSignal: giveUp.signal },
    })
    await stream.next()
    giveUp.abort()
    await vendors.upstream.until(() => vendors.upstream.aborts === before + 1)
  }
})

test("Gemini's endpoint for OpenAI's clients, chosen by the name of the model", async () => {
  const answer = await vendors.proxy.post('/v1/chat/completions', {
    model: 'gemini/mock-model',
    messages: [{ role: 'user', content: 'Good morning' }],
  })
  expect(answer.text).toContain('[1234] Good morning')
  expect(vendors.upstream.seen[0]?.url).toBe('/v1beta/openai/chat/completions')
})
