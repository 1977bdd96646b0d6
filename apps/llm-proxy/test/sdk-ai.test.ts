import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, embed, generateText, jsonSchema, RetryError, streamText, tool } from 'ai'
import type { LanguageModel } from 'ai'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectClean } from './clean-request.ts'
import { KEY, startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// Vercel's AI SDK with its providers for OpenAI and Anthropic: straight at the vendor, then through llm-proxy.

let vendors: Vendors
let token = ''
beforeAll(async () => {
  // It does not know the model, and says so at each call.
  globalThis.AI_SDK_LOG_WARNINGS = false
  vendors = await startVendors()
  token = await vendors.proxy.tokenOf('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
})

type Place = (path: string) => { baseURL: string; apiKey: string }
const straight: Place = () => ({ baseURL: `${vendors.upstream.url}/v1`, apiKey: KEY })
const proxied: Place = (path) => ({ baseURL: vendors.proxy.url + path, apiKey: token })

type ModelAt = (place: Place, name: string) => LanguageModel
const MODELS: Record<string, ModelAt> = {
  'OpenAI chat': (place, name) => createOpenAI(place('/openai/v1')).chat(name),
  'OpenAI responses': (place, name) => createOpenAI(place('/openai/v1')).responses(name),
  'OpenAI chat by the name of the model': (place, name) =>
    createOpenAI(place('/v1')).chat(place === straight ? name : `openai/${name}`),
  Anthropic: (place, name) => createAnthropic(place('/anthropic/v1'))(name),
}

const weather = tool({
  description: 'The weather of a city',
  inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
})

describe.each(Object.entries(MODELS))('%s', (_, modelAt) => {
  async function bothWays<T>(name: string, run: (model: LanguageModel) => Promise<T>): Promise<T> {
    const result = await run(modelAt(straight, name))
    expect(await run(modelAt(proxied, name))).toEqual(result)
    expectClean(vendors.upstream, token)
    return result
  }

  test('text, whole and streamed, with its usage', async () => {
    const whole = await bothWays('mock-model', async (model) => {
      const { text, finishReason, usage } = await generateText({ model, prompt: 'Good morning' })
      return { text, finishReason, input: usage.inputTokens, output: usage.outputTokens }
    })
    expect(whole).toEqual({ text: '[1234] Good morning', finishReason: 'stop', input: 2, output: 3 })
    const streamed = await bothWays('mock-model', async (model) => {
      const result = streamText({ model, prompt: 'Good morning' })
      const [text, finishReason, usage] = await Promise.all([result.text, result.finishReason, result.usage])
      return { text, finishReason, input: usage.inputTokens, output: usage.outputTokens }
    })
    expect(streamed).toEqual(whole)
  })

  test('tools', async () => {
    const calls = await bothWays('mock-model', async (model) => {
      const { toolCalls } = await generateText({ model, prompt: 'Weather in Oslo', tools: { weather } })
      return toolCalls.map(({ toolName, input }) => ({ toolName, input }))
    })
    expect(calls).toEqual([{ toolName: 'weather', input: { city: 'Oslo' } }])
  })

  test('an error of the vendor; its own retries, and none of ours', async () => {
    const refused = await bothWays('err-401', async (model) => {
      const error = await generateText({ model, prompt: 'x', maxRetries: 0 }).catch(
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(APICallError)
      const { statusCode, message, responseBody } = error as APICallError
      return { statusCode, message, responseBody }
    })
    expect(refused.statusCode).toBe(401)
    vendors.upstream.forget()
    const again = generateText({ model: modelAt(proxied, 'err-429'), prompt: 'x' })
    await expect(again).rejects.toBeInstanceOf(RetryError)
    expect(vendors.upstream.seen).toHaveLength(3)
  })

  test('an abort in the midst of a stream frees the upstream', async () => {
    for (const place of [straight, proxied]) {
      const before = vendors.upstream.aborts
      const giveUp = new AbortController()
      const { textStream } = streamText({
        ...{ model: modelAt(place, 'chunks-100000'), prompt: 'x', abortSignal: giveUp.signal },
      })
      for await (const _text of textStream) {
        giveUp.abort()
        break
      }
      await vendors.upstream.until(() => vendors.upstream.aborts === before + 1)
    }
  })

  test('a stream that breaks is an error', async () => {
    const errors: unknown[] = []
    const onError = ({ error }: { error: unknown }) => void errors.push(error)
    const result = streamText({ model: modelAt(proxied, 'chunks-20+reset-8'), prompt: 'x', onError })
    await result.consumeStream()
    expect(errors).toHaveLength(1)
  })
})

test('embeddings', async () => {
  const vectorAt = async (place: Place) => {
    const { embedding, usage } = await embed({
      ...{ model: createOpenAI(place('/openai/v1')).embedding('mock-embedding'), value: 'Good morning' },
    })
    return { embedding, usage }
  }
  const vector = await vectorAt(straight)
  expect(vector).toMatchObject({ usage: { tokens: 2 } })
  expect(await vectorAt(proxied)).toEqual(vector)
})
