import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stand } from './stand.ts'
import type { Stand } from './stand.ts'

interface Operation {
  security: Record<string, string[]>[]
  responses: Record<string, { content?: Record<string, unknown> }>
}

let here: Stand
let paths: Record<string, Record<string, Operation>>
beforeAll(async () => {
  here = await stand()
  const answer = await fetch(`${here.url}/openapi.json`)
  ;({ paths } = (await answer.json()) as { paths: typeof paths }) // its form is what the tests are about
})
afterAll(() => here.close())

const placesAt = (path: string) => paths[path]?.post?.security.flatMap(Object.keys)

describe('the OpenAPI document says of a door', () => {
  it('where a credential may stand', () => {
    const header = ['bearer', 'apiKey', 'googleApiKey', 'azureApiKey']
    for (const path of ['/v1/{path}', '/gemini/{path}'])
      expect(placesAt(path)).toEqual([...header, 'keyParameter'])
    for (const path of ['/llm', '/execute', '/tokenize']) expect(placesAt(path)).toEqual(header)
    for (const path of ['/keys', '/data/{path}']) expect(placesAt(path)).toEqual(header.slice(0, 2))
  })

  it('what may come back', () => {
    for (const [path, more] of [
      ['/openai/{path}', ['508']],
      ['/llm', ['508']],
      ['/data/{path}', []],
    ] as const) {
      const { responses } = paths[path]!.post!
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['404', '405', '413', '415', ...more]))
      expect(responses['200']?.content).toEqual({ '*/*': {} })
    }
    expect(paths['/data/{path}']!.post!.responses).not.toHaveProperty('508')
  })
})
