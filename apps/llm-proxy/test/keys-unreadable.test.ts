import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { json, startScriptedUpstream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

// A key that was sealed under a version which nobody has any more.

let upstream: ScriptedUpstream
let setting: KeyedSetting
let id = ''

beforeAll(async () => {
  upstream = await startScriptedUpstream()
  upstream.script = json('{"data":[{"id":"m"}]}')
  setting = await startKeyedSetting(
    { openai: upstream.url, anthropic: upstream.url },
    { KEY_CACHE_SECONDS: '0' },
  )
  await setting.addKey({ provider: 'anthropic', key: 'sk-that-opens-1234' })
  const added = await setting.post('/keys', { provider: 'openai', key: 'sk-sealed-for-good-1234' })
  id = (added.body as { id: string }).id
  const admin = new pg.Client({ connectionString: setting.postgres.adminUrl })
  await admin.connect()
  await admin.query(`update provider_keys set kek = 'v9' where id = $1`, [id])
  await admin.end()
})
afterAll(async () => {
  await setting.close()
  await upstream.close()
})

const CHAT = { model: 'openai/m', messages: [{ role: 'user', content: 'hello' }] }

test.each([
  ['/v1/chat/completions', CHAT],
  ['/openai/v1/chat/completions', { ...CHAT, model: 'm' }],
  ['/llm', CHAT],
  ['/execute', { operation: 'embed', input: { model: 'openai/m', texts: ['hello'] } }],
  ['/keys/:id/check', {}],
])('at %s it is 503, by its id, and SDKs do not try again', async (path, body) => {
  upstream.seen.length = 0
  const answer = await setting.send(path.replace(':id', id), JSON.stringify(body))
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([503, 'false'])
  const text = await answer.text()
  expect(text).toContain('provider_key_unreadable')
  expect(text).toContain(`provider key ${id} cannot be opened`)
  expect(text).not.toMatch(/v9|KEY_ENCRYPTION/)
  expect(upstream.seen).toEqual([])
  expect(setting.logged(), 'the operator is told why').toContain(
    `The provider key ${id} does not open: it was sealed under v9, which is not among PROVIDER_KEY_ENCRYPTION_KEYS`,
  )
})

test('GET /v1/models lists those of all other providers, and the log says why these are left out', async () => {
  const answer = await fetch(`${setting.url}/v1/models`, {
    headers: { Authorization: `Bearer ${await setting.tokenOf('alice')}` },
  })
  const { data } = (await answer.json()) as { data: { id: string }[] }
  const providers = new Set(data.map((model) => model.id.split('/')[0]))
  expect([...providers].sort()).toEqual(['anthropic', 'local'])
  const line = setting
    .logged()
    .split('\n')
    .find((one) => one.includes('did not list its models'))
  expect(line).toContain('"provider":"openai"')
  expect(line).toContain('sealed under v9')
})

test('and it works again once it is replaced', async () => {
  expect((await setting.post(`/keys/${id}/rotate`, { key: 'sk-another-one-1234' })).status).toBe(200)
  expect((await setting.send('/v1/chat/completions', JSON.stringify(CHAT))).status).toBe(200)
})
