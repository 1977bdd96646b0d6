import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

/** Where a first model fails, another one is asked at the same provider. */
const ROUTES = [
  { match: { provider: 'gemini', model: 'old' }, fallbacks: [{ provider: 'gemini', model: 'new' }] },
  { match: { provider: 'openai', model: 'old' }, fallbacks: [{ provider: 'openai', model: 'new' }] },
  { name: 'quick', targets: [{ provider: 'openai', model: 'gpt' }] },
]

let folder: string
let setting: RelaySetting
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'models-'))
  const path = join(folder, 'providers.json')
  await writeFile(path, JSON.stringify({ routes: ROUTES }))
  setting = await startRelaySetting({ PROVIDERS_FILE: path })
})
afterAll(async () => {
  await setting.close()
  await rm(folder, { recursive: true })
})

const GEMINI = '/v1beta/models'
const AZURE = '/openai/deployments'

/** What the provider got of a request, as path and body. */
async function sent(path: string, body: string): Promise<[path: string, body: string][]> {
  const before = setting.upstream.seen.length
  setting.upstream.script = (res, { url }) =>
    json('{}', { status: /\/(?:models|deployments)\/old\b/.test(url) ? 503 : 200 })(res)
  expect((await setting.send(path, body)).status).toBe(200)
  return setting.upstream.seen.slice(before).map((seen) => [seen.url, seen.body.toString()])
}

describe('where the path names the model, the body’s', () => {
  it.each([
    ['/gemini', `${GEMINI}/e:embedContent`, '{ "model":"models/e", "content":{"parts":[{"text":"a"}]} }'],
    ['/gemini', `${GEMINI}/e:batchEmbedContents`, '{"requests":[{"model":"models/e"}]}'],
    ['/gemini', `${GEMINI}/e:generateContent`, '{"model":"whatever","contents":[]}'],
    ['/openai', `${AZURE}/my-dep/chat/completions`, '{"model":"gpt-4o","messages":[]}'],
    ['/openai', `${AZURE}/my-dep/chat/completions`, '{"messages":[]}'],
  ])('goes on as it came: %s%s %s', async (provider, path, body) => {
    expect(await sent(provider + path, body)).toEqual([[path, body]])
  })

  it.each([
    [
      'models/<model>',
      `${GEMINI}/old:embedContent`,
      'models/old',
      `${GEMINI}/new:embedContent`,
      'models/new',
    ],
    ['the model', `${GEMINI}/old:embedContent`, 'old', `${GEMINI}/new:embedContent`, 'new'],
    ['another one', `${AZURE}/old/chat/completions`, 'gpt-4o', `${AZURE}/new/chat/completions`, 'gpt-4o'],
    [
      'a longer name',
      `${AZURE}/old/chat/completions`,
      'very-old',
      `${AZURE}/new/chat/completions`,
      'very-old',
    ],
    ['a name that stands before it', '/old/deployments/old/chat', 'x', '/old/deployments/new/chat', 'x'],
  ])('takes the model of a fallback in its own form: %s', async (_, path, model, other, expected) => {
    const provider = path.includes('/deployments/') ? '/openai' : '/gemini'
    const body = (name: string) => `{"a":1.0, "model" : "${name}"}`
    expect(await sent(provider + path, body(model))).toEqual([
      [path, body(model)],
      [other, body(expected)],
    ])
  })
})

describe('where the body alone names the model', () => {
  it('it goes on as it came, and as the fallback’s', async () => {
    const path = '/v1/chat/completions'
    expect(await sent(`/openai${path}`, '{"model":"openai/gpt"}')).toEqual([[path, '{"model":"openai/gpt"}']])
    setting.upstream.script = (res, { body }) => json('{}', { status: body.includes('old') ? 503 : 200 })(res)
    await setting.send(`/openai${path}`, '{"model":"old"}')
    expect(setting.upstream.seen.at(-1)!.body.toString()).toBe('{"model":"new"}')
  })

  it('on /v1 the provider gets it by its own name, whatever the path', async () => {
    for (const path of [
      '/chat/completions',
      '/deployments/gpt/chat/completions',
      '/deployments/x/embeddings',
    ])
      expect(await sent(`/v1${path}`, '{"model":"openai/gpt"}')).toEqual([[`/v1${path}`, '{"model":"gpt"}']])
  })

  it('on /v1 the provider gets its own name in place of a route’s, whatever the path', async () => {
    for (const path of ['/chat/completions', '/deployments/gpt/chat/completions'])
      expect(await sent(`/v1${path}`, '{"model":"quick"}')).toEqual([[`/v1${path}`, '{"model":"gpt"}']])
    const [[, body] = []] = await sent('/v1/deployments/other/embeddings', '{"model":"quick"}')
    expect(body).toBe('{"model":"gpt"}')
  })
})
