import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

describe('/v1 goes where the model says', () => {
  it.each([
    ['/v1/chat/completions', 'openai/gpt-x', '/v1/chat/completions', 'gpt-x', 'openai'],
    [
      '/v1/chat/completions?x=1',
      'openrouter/meta/llama',
      '/v1/chat/completions?x=1',
      'meta/llama',
      'openrouter',
    ],
    ['/v1/embeddings', 'gemini/embed-1', '/v1beta/openai/embeddings', 'embed-1', 'gemini'],
    ['/v1/responses', 'openai/gpt-x', '/v1/responses', 'gpt-x', 'openai'],
    ['/v1/images/generations', 'openai/image-1', '/v1/images/generations', 'image-1', 'openai'],
  ])('%s with %s', async (path, model, url, bare, provider) => {
    setting.upstream.script = json('{"id":"1"}')
    // Some libraries escape the slash.
    const body = (name: string) => `{"a":1.0,\n"model" : "${name}", "z":9007199254740993}`
    for (const name of [model, model.replaceAll('/', '\\/')]) {
      expect((await setting.send(path, body(name))).status).toBe(200)
      const seen = setting.upstream.seen.at(-1)!
      expect(seen.url).toBe(url)
      expect(seen.body.toString()).toBe(body(bare))
      expect(setting.metered.at(-1)!.call).toMatchObject({ provider, model: bare })
    }
  })

  it.each(['gpt-x', 'acme/gpt-x', 'openai/', '/gpt-x', ''])(
    '%j is a model that there is not',
    async (model) => {
      const answer = await setting.send('/v1/chat/completions', JSON.stringify({ model, messages: [] }))
      expect(answer.status).toBe(404)
      const error = await errorOf(answer)
      expect(error).toMatchObject({ code: 'model_not_found', param: 'model' })
      expect(error.message).toContain('<provider>/<model>')
      expect(error.message).toContain('openrouter')
    },
  )

  it('needs a model', async () => {
    for (const body of ['{"messages":[]}', '{"model":7}', undefined]) {
      const answer = await setting.send('/v1/chat/completions', body, { method: 'POST' })
      expect(answer.status).toBe(400)
      expect((await errorOf(answer)).param).toBe('model')
    }
  })

  it('answers for the models of its own itself', async () => {
    const before = setting.upstream.seen.length
    const body = { model: 'local/extractive', messages: [{ role: 'user', content: 'The barge is late.' }] }
    const answer = await setting.send('/v1/chat/completions', JSON.stringify(body))
    expect(await answer.json()).toMatchObject({
      choices: [{ message: { content: expect.stringContaining('barge') } }],
    })
    expect((await setting.send('/v1/responses', JSON.stringify(body))).status).toBe(404)
    expect(setting.upstream.seen).toHaveLength(before)
  })

  it('tells of a provider that has nothing for the path', async () => {
    const answer = await setting.send('/v1/embeddings', '{"model":"anthropic/claude-x"}')
    expect(answer.status).toBe(400)
    expect((await errorOf(answer)).message).toContain('anthropic')
  })
})
