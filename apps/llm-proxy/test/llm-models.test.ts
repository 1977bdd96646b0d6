import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startScriptedUpstream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

let upstream: ScriptedUpstream
let setting: KeyedSetting
/** What each provider answers, by the path below which it is; one that is not here never answers. */
const answers = new Map<string, [status: number, body: string]>()
const list = (...data: object[]): [number, string] => [200, JSON.stringify({ object: 'list', data })]

const folder = mkdtempSync(join(tmpdir(), 'models-'))

beforeAll(async () => {
  upstream = await startScriptedUpstream()
  upstream.script = (res, { url }) => {
    const [, answer] = [...answers].find(([path]) => url.startsWith(path)) ?? []
    if (answer) res.writeHead(answer[0], { 'Content-Type': 'application/json' }).end(answer[1])
  }
  const at = (name: string) => `${upstream.url}/${name}`
  const names = ['openai', 'anthropic', 'gemini', 'mistral']
  const deployed = { name: 'deployed', protocol: 'openai', base_url: at('deployed'), private: true }
  const file = join(folder, 'providers.json')
  writeFileSync(file, JSON.stringify({ providers: [{ ...deployed, open_ai_path: null }] }))
  setting = await startKeyedSetting(Object.fromEntries(names.map((name) => [name, at(name)])), {
    MODELS_TIMEOUT_MS: '300',
    PROVIDERS_FILE: file,
  })
  for (const provider of [...names, 'deployed'])
    await setting.addKey({ provider, key: `sk-of-alice-for-${provider}-1234` })
  await setting.addKey({ provider: 'openai', key: 'sk-of-bob-1234567890', as: 'bob' })
})
beforeEach(() => {
  upstream.seen.length = 0
})
afterAll(async () => {
  await setting.close()
  await upstream.close()
  rmSync(folder, { recursive: true })
})

const as = async (user: string) =>
  new OpenAI({ apiKey: await setting.tokenOf(user), baseURL: `${setting.url}/v1`, maxRetries: 0 })
const idsOf = async (user: string) => (await (await as(user)).models.list()).data.map(({ id }) => id)
const LOCAL = ['local/extractive', 'local/hash-embedding-256']

// One after the other, since what is listed is remembered.
describe('GET /v1/models', () => {
  it('leaves out a provider that fails, is slow, or answers nonsense, and logs it', async () => {
    answers.set('/openai', [500, '{}']).set('/anthropic', [200, '<html>']).set('/gemini', [200, 'null'])
    expect(await idsOf('alice')).toEqual(LOCAL)
    for (const provider of ['openai', 'anthropic', 'gemini', 'mistral']) {
      expect(setting.logged()).toContain(`"provider":"${provider}"`)
    }
    expect(setting.logged()).not.toContain('sk-of-alice')
  })

  it("lists ours and those of the user's providers, each asked with that user's key", async () => {
    answers
      .set('/openai', list({ id: 'gpt-x', object: 'model', created: 7, owned_by: 'system' }, { id: 5 }))
      .set('/anthropic', list({ type: 'model', id: 'claude-x', created_at: '2026-01-01T00:00:00Z' }))
      .set('/gemini', list({ id: 'models/gemini-x', object: 'model', owned_by: 'google' }))
      .set('/mistral', list({ id: 'mistral-x', created: 9 }))
      .set('/deployed', list({ id: 'cannot-be-asked-on-v1' }))
    const { data } = await (await as('alice')).models.list()
    expect(data.slice(2)).toEqual([
      { id: 'openai/gpt-x', object: 'model', created: 7, owned_by: 'system' },
      { id: 'anthropic/claude-x', object: 'model', created: 1_767_225_600, owned_by: 'anthropic' },
      { id: 'gemini/gemini-x', object: 'model', created: 0, owned_by: 'google' },
      { id: 'mistral/mistral-x', object: 'model', created: 9, owned_by: 'mistral' },
    ])
    const asked = new Map(upstream.seen.map(({ url, headers }) => [url, headers]))
    expect([...asked.keys()].toSorted()).toEqual([
      '/anthropic/v1/models?limit=1000',
      '/gemini/v1beta/openai/models',
      '/mistral/v1/models',
      '/openai/v1/models',
    ])
    const vias = [...asked.values()].map(({ via }) => via)
    expect(vias).toEqual(vias.map(() => expect.stringMatching(/^1\.1 waybill-[0-9a-f]{12}$/) as string))
    expect(asked.get('/openai/v1/models')!.authorization).toBe('Bearer sk-of-alice-for-openai-1234')
    expect(asked.get('/anthropic/v1/models?limit=1000')).toMatchObject({
      'x-api-key': 'sk-of-alice-for-anthropic-1234',
      'anthropic-version': expect.any(String),
    })
  })

  it('remembers them for that user and key alone', async () => {
    await Promise.all([idsOf('alice'), idsOf('alice')])
    expect(upstream.seen).toEqual([])
    answers.set('/openai', list({ id: 'gpt-of-bob' }))
    expect(await idsOf('bob')).toEqual([...LOCAL, 'openai/gpt-of-bob'])
    expect(upstream.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer sk-of-bob-1234567890'])
    expect(await idsOf('carol')).toEqual(LOCAL)
  })

  it('asks anew when another secret has taken the place of a key', async () => {
    await setting.addKey({ provider: 'openai', key: 'sk-of-erin-1234567890', as: 'erin' })
    await idsOf('erin')
    const headers = { Authorization: `Bearer ${await setting.tokenOf('erin')}` }
    const { keys } = (await (await fetch(`${setting.url}/keys`, { headers })).json()) as {
      keys: { id: string }[]
    }
    await setting.post(`/keys/${keys[0]!.id}/rotate`, { key: 'sk-newer-of-erin-1234567890' }, 'erin')
    await idsOf('erin')
    expect(upstream.seen.at(-1)!.headers.authorization).toBe('Bearer sk-newer-of-erin-1234567890')
  })

  it('is 508 where the address of a provider leads back here', async () => {
    await setting.addKey({ provider: 'openai', key: 'sk-of-dave-1234567890', as: 'dave' })
    await idsOf('dave')
    const { via } = upstream.seen.at(-1)!.headers
    const answer = await fetch(`${setting.url}/v1/models`, {
      headers: { Authorization: `Bearer ${await setting.tokenOf('alice')}`, Via: via! },
    })
    expect(answer.status).toBe(508)
    expect(await answer.json()).toMatchObject({ error: { code: 'loop_detected' } })
  })

  it('finds one by its id, whose slash may be encoded', async () => {
    const client = await as('alice')
    expect(await client.models.retrieve('openai/gpt-x')).toMatchObject({ id: 'openai/gpt-x', created: 7 })
    const token = await setting.tokenOf('alice')
    const plain = await fetch(`${setting.url}/v1/models/local/extractive`, {
      headers: { Authorization: `Bearer ${token}` },
    })
    expect(await plain.json()).toMatchObject({ id: 'local/extractive', object: 'model' })
    await expect(client.models.retrieve('openai/gpt-of-bob')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
  })
})

it('what a provider cannot be asked on /v1 is refused, with its operation and its model', async () => {
  for (const [path, operation] of [
    ['chat/completions', 'chats'],
    ['embeddings', 'embeddings'],
  ] as const) {
    const answer = await setting.send(`/v1/${path}`, '{"model":"deployed/my-gpt","messages":[]}')
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      error: {
        message: `deployed cannot be asked for ${operation} here, which are wanted of its model my-gpt.`,
        param: 'model',
        code: 'unsupported_operation',
      },
    })
  }
})
