import { llmProxy } from '@waybill/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatCompletion, ERROR_BODIES } from '../src/routes/described.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

interface Operation {
  security: Record<string, string[]>[]
  parameters: { name: string; in: string }[]
  requestBody?: { required: boolean; content: Record<string, { schema: JsonSchema }> }
  responses: Record<string, { content?: Record<string, { schema?: JsonSchema }> }>
}
interface JsonSchema {
  $ref?: string
  required?: string[]
  properties?: Record<string, unknown>
}

let setting: Setting
let paths: Record<string, Record<string, Operation>>
let components: { schemas: Record<string, JsonSchema> }
beforeAll(async () => {
  setting = await startSetting()
  const answer = await fetch(`${setting.url}/openapi.json`)
  const document = (await answer.json()) as { paths: typeof paths; components: typeof components } // its form is what the tests are about
  ;({ paths, components } = document)
})
afterAll(() => setting.close())

describe('the OpenAPI document says', () => {
  const HEADERS = ['bearer', 'apiKey', 'googleApiKey', 'azureApiKey']
  it.each([
    ['/openai/{path}', 'get', [...HEADERS, 'keyParameter']],
    ['/v1/chat/completions', 'post', [...HEADERS, 'keyParameter']],
    ['/v1/models', 'get', [...HEADERS, 'keyParameter']],
    ['/llm', 'post', HEADERS],
    ['/execute', 'post', HEADERS],
    ['/tokenize', 'post', HEADERS],
    ['/keys', 'post', ['bearer']],
  ])('where a credential may stand at %s', (path, method, places) => {
    expect(paths[path]?.[method]?.security.flatMap(Object.keys)).toEqual(places)
  })

  it.each([
    ['/openai/{path}', ['*/*'], ['404', '413', '415', '508']],
    ['/v1/{path}', ['*/*'], ['404', '413', '415', '508']],
    ['/v1/chat/completions', ['application/json', 'text/event-stream'], ['404', '413', '415', '508']],
    ['/llm', ['text/event-stream', 'application/json'], ['404', '413', '415', '508']],
    ['/execute', ['application/json'], ['404', '413', '415', '422', '508']],
  ])('what may come back from %s', (path, types, statuses) => {
    const { responses } = paths[path]!.post!
    expect(Object.keys(responses['200']!.content!)).toEqual(types)
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(statuses))
  })

  it.each([
    ['/v1/chat/completions', ['model', 'messages'], ['messages', 'stream', 'max_tokens']],
    ['/v1/completions', ['model', 'prompt'], ['stream']],
    ['/v1/embeddings', ['model', 'input'], ['dimensions']],
    ['/v1/responses', ['model'], ['input', 'stream']],
    ['/v1/{path}', ['model'], []],
  ])('what the body of %s has', (path, required, members) => {
    const body = paths[path]!.post!.requestBody!
    expect(body.required).toBe(true)
    const { schema } = body.content['application/json']!
    expect(schema.required).toEqual(required)
    expect(Object.keys(schema.properties!)).toEqual(expect.arrayContaining(members))
  })

  it('of what goes to a provider as it is that it may be anything, where there is a body at all', () => {
    const { get, post } = paths['/anthropic/{path}']!
    expect(post!.requestBody).toMatchObject({ required: false, content: { '*/*': {} } })
    expect(get).not.toHaveProperty('requestBody')
  })

  it.each([
    ['/v1/chat/completions', ['X-Provider-Key', 'Cache-Control']],
    ['/v1/{path}', ['X-Provider-Key']],
    ['/anthropic/{path}', ['X-Provider-Key', 'Cache-Control']],
  ])('which headers are heeded at %s', (path, names) => {
    const headers = paths[path]!.post!.parameters.filter((parameter) => parameter.in === 'header')
    expect(headers.map(({ name }) => name)).toEqual(names)
  })

  it.each([
    ['/v1/embeddings', 'OpenAIError'],
    ['/mistral/{path}', 'OpenAIError'],
    ['/anthropic/{path}', 'AnthropicError'],
    ['/gemini/{path}', 'GoogleError'],
    ['/gemini/v1beta/openai/{path}', 'OpenAIError'],
  ])('that errors of %s have the shape of its protocol: %s', (path, name) => {
    const schema = { $ref: `#/components/schemas/${name}` }
    const { responses } = paths[path]!.post!
    const errors = Object.entries(responses).filter(([status]) => Number(status) >= 400)
    for (const [, { content }] of errors) expect(content).toEqual({ 'application/json': { schema } })
    expect(errors.length).toBeGreaterThan(5)
    expect(components.schemas[name]!.required).toContain('error')
  })
})

describe('what is described and never checked is what comes', () => {
  const messages = [{ role: 'user', content: 'Good morning' }]
  it.each([
    ['/v1/chat/completions', { model: 'local/extractive', messages }, chatCompletion],
    [
      '/v1/embeddings',
      { model: 'local/hash-embedding-256', input: 'Good morning' },
      llmProxy.embeddingsResponse,
    ],
  ])('from %s', async (path, body, schema) => {
    const { status, body: answer } = await setting.post(path, body)
    expect(status).toBe(200)
    expect(schema.parse(answer)).toEqual(answer)
    const described = paths[path]!.post!.responses['200']!.content!['application/json']!.schema!
    expect(Object.keys(answer as object)).toEqual(expect.arrayContaining(described.required!))
  })

  it.each(['openai', 'anthropic', 'gemini'] as const)('as an error of %s', (protocol) => {
    const problem = { status: 404, detail: 'There is no such model.', code: 'not_found', request_id: 'r1' }
    const body = llmProxy.ERROR_SHAPES[protocol](problem)
    expect(ERROR_BODIES[protocol].schema.parse(body)).toEqual(body)
  })
})
