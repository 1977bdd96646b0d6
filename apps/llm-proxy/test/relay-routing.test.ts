import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunk, DONE, json, stream } from './fixtures/scripted-upstream.ts'
import { errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

const FILE = {
  providers: [
    { name: 'inner', protocol: 'openai', base_url: 'http://127.0.0.1:9', private: true },
    { name: 'unvouched', protocol: 'openai', base_url: 'https://localhost:9' },
  ],
  routes: [
    {
      name: 'fast',
      targets: [{ provider: 'openai', model: 'gpt-fast' }],
      fallbacks: [{ provider: 'gemini', model: 'flash' }],
    },
    {
      match: { provider: 'openai', operation: 'chat' },
      retries: { attempts: 2, budget: 1, max_pause_ms: 1 },
      fallbacks: [{ provider: 'openrouter', model: 'openai/gpt-x' }],
    },
  ],
}

let folder: string
let setting: RelaySetting
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-'))
  const path = join(folder, 'providers.json')
  await writeFile(path, JSON.stringify(FILE))
  const environment = { PROVIDERS_FILE: path, RESPONSE_CACHE: 'on' }
  setting = await startRelaySetting(environment, { withoutKey: ['mistral'] })
})
afterAll(async () => {
  await setting.close()
  await rm(folder, { recursive: true })
})

const PATH = '/openai/v1/chat/completions'

describe('a private provider', () => {
  it.each([
    ['POST', '/inner/v1/chat/completions', 502],
    ['POST', '/inner/v1/load_lora_adapter', 403],
    ['POST', '/v1/load_lora_adapter', 403],
    ['DELETE', '/inner/api/delete', 403],
    ['GET', '/inner/metrics', 403],
  ])('is asked what models are asked, and not how it is run: %s %s', async (method, path, status) => {
    const body = method === 'GET' ? null : '{"model":"inner/m","messages":[]}'
    const answer = await setting.send(path, body, { method })
    expect(answer.status).toBe(status)
    if (status === 403) expect((await errorOf(answer)).message).toContain('inner')
  })
})

it('a provider at a private address that nobody vouches for is a fault of the operator, who is told why', async () => {
  const answer = await setting.send('/unvouched/v1/chat/completions', '{"model":"m","messages":[]}')
  expect(answer.status).toBe(502)
  expect((await errorOf(answer)).message).toBe('unvouched cannot be reached.')
  expect(setting.logged()).toContain('localhost is not a public address')
})

describe('attempts', () => {
  it('are repeated, then made elsewhere with that provider’s model and key; the last answer is the answer', async () => {
    const before = setting.upstream.seen.length
    setting.upstream.script = (res, request) =>
      setting.upstream.seen.length - before <= 3
        ? json('{"error":"busy"}', { status: 503 })(res)
        : json(`{"by":${JSON.stringify(request.body.toString())}}`)(res)
    const answer = await setting.send(PATH, '{"a":1.0, "model":"gpt-x"}')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ by: '{"a":1.0, "model":"openai/gpt-x"}' })
    expect(setting.upstream.seen).toHaveLength(before + 4)
    expect(setting.metered.at(-1)!.ends).toMatchObject([
      { provider: 'openrouter', model: 'openai/gpt-x', keyId: 'openrouter-default', result: 'answered' },
    ])
  })

  it('that were repeated here shall not be repeated by the SDK too', async () => {
    setting.upstream.script = json('{"error":"busy"}', { status: 503 })
    const answer = await setting.send(PATH, '{"model":"gpt-y"}')
    expect([answer.status, await answer.text()]).toEqual([503, '{"error":"busy"}'])
    expect(answer.headers.get('x-should-retry')).toBe('false')
    setting.upstream.script = (res) => void res.destroy()
    const failed = await setting.send(PATH, '{"model":"gpt-y"}')
    expect(failed.status).toBe(502)
    expect(failed.headers.get('x-should-retry')).toBe('false')
  })

  it('end with the first byte that went out', async () => {
    const before = setting.upstream.seen.length
    setting.upstream.script = stream([chunk('a')], { then: 'cut' })
    const answer = await setting.send(PATH, '{"model":"gpt-z","stream":true}')
    await expect(answer.text()).rejects.toThrow()
    expect(setting.upstream.seen).toHaveLength(before + 1)
  })

  it('by the name of a route on /v1 take its models, each below its provider’s own path', async () => {
    setting.upstream.script = (res, { url, body }) =>
      url === '/v1/chat/completions'
        ? void res.destroy()
        : json(JSON.stringify({ url, body: body.toString() }))(res)
    const answer = await setting.send('/v1/chat/completions', '{"model":"fast"}')
    expect(await answer.json()).toEqual({ url: '/v1beta/openai/chat/completions', body: '{"model":"flash"}' })
  })

  it('need a key of the user', async () => {
    const before = setting.upstream.seen.length
    const answer = await setting.send('/mistral/v1/chat/completions', '{"model":"m"}')
    expect(answer.status).toBe(403)
    expect(setting.upstream.seen).toHaveLength(before)
    expect(setting.metered.at(-1)!.ends).toMatchObject([{ result: 'failed', provider: undefined }])
  })
})

describe('an answer that was given before', () => {
  it('is given again, whole or as a stream, and nothing is asked', async () => {
    for (const [body, script, expected] of [
      ['{"model":"cached"}', json('{"id": "1" }'), '{"id": "1" }'],
      [
        '{"model":"cached","stream":true}',
        stream([chunk('a', { usage: null }), 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n', DONE]),
        chunk('a') + DONE,
      ],
    ] as const) {
      setting.upstream.script = script
      const first = await setting.send(PATH, body)
      expect(await first.text()).toBe(expected)
      const before = setting.upstream.seen.length
      const again = await setting.send(PATH, body)
      expect(await again.text()).toBe(expected)
      expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'))
      expect(setting.upstream.seen).toHaveLength(before)
      expect(setting.metered.at(-1)!.ends).toMatchObject([{ result: 'cached', usage: undefined }])
    }
  })

  it('is not kept when it broke', async () => {
    const body = '{"model":"never","stream":true}'
    setting.upstream.script = stream([chunk('a')])
    await expect((await setting.send(PATH, body)).text()).rejects.toThrow()
    setting.upstream.script = stream([chunk('b'), DONE])
    expect(await (await setting.send(PATH, body)).text()).toBe(chunk('b') + DONE)
  })
})
