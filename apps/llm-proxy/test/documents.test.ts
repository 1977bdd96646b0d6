import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

interface Operation {
  security: Record<string, string[]>[]
  responses: Record<string, { content?: Record<string, unknown> }>
}

let setting: Setting
let paths: Record<string, Record<string, Operation>>
beforeAll(async () => {
  setting = await startSetting()
  const answer = await fetch(`${setting.url}/openapi.json`)
  ;({ paths } = (await answer.json()) as { paths: typeof paths }) // its form is what the tests are about
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
})
