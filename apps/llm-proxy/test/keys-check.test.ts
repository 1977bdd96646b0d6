import type { llmProxy } from '@waybill/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GOOD, startKeysService } from './keys-service.ts'
import type { KeysService } from './keys-service.ts'

let at: KeysService
const newUser = (scope?: string) => at.newUser(scope)

beforeAll(async () => {
  at = await startKeysService()
})
afterAll(() => at.close())

test('with check, a key that the provider refuses is 422 and nothing is stored', async () => {
  const { call, add } = newUser()
  const refused = await call('post', '/keys', { provider: 'openai', key: 'sk-bad-0123456789', check: true })
  expect(refused.body).toMatchObject({ status: 422, reason: 'key_refused' })
  const unreachable = await call('post', '/keys', { provider: 'mistral', key: GOOD, check: true })
  expect(unreachable.body).toMatchObject({ status: 502, reason: 'provider_unreachable' })
  expect((await call('get', '/keys')).body).toEqual({ keys: [] })
  const key = await add({ check: true })
  expect(key.checked_at).not.toBeNull()
  const rotated = await call('post', `/keys/${key.id}/rotate`, { key: 'sk-bad-0123456789', check: true })
  expect(rotated.body).toMatchObject({ status: 422, reason: 'key_refused' })
  expect((await call('get', `/keys/${key.id}`)).body).toEqual(key)
})

test('check asks each provider in its own way, with nothing of the caller, and says what came of it', async () => {
  const { call, add } = newUser()
  const check = async (more: object) => {
    const { id } = await add(more)
    const { body } = await call('post', `/keys/${id}/check`)
    await call('delete', `/keys/${id}`)
    return (body as { result: string }).result
  }
  at.asked()
  expect(await check({ provider: 'openai' })).toBe('valid')
  expect(await check({ provider: 'anthropic' })).toBe('valid')
  expect(await check({ provider: 'gemini' })).toBe('valid')
  expect(await check({ provider: 'openrouter' })).toBe('valid')
  const asked = at.asked()
  expect(
    asked.map(({ url, headers }) => [
      url,
      headers.authorization ?? headers['x-api-key'] ?? headers['x-goog-api-key'],
    ]),
  ).toEqual([
    ['/v1/models', `Bearer ${GOOD}`],
    ['/v1/models?limit=1', GOOD],
    ['/v1beta/models?pageSize=1', GOOD],
    ['/v1/key', `Bearer ${GOOD}`],
  ])
  expect(asked.every(({ headers }) => headers.via?.includes('waybill-'))).toBe(true)
  const sent = asked.flatMap(({ headers }) => Object.keys(headers))
  expect(sent.filter((name) => /cookie|trace|request-id|baggage|user-id/.test(name))).toEqual([])
  expect(await check({ key: 'sk-bad-0123456789' })).toBe('refused')
  expect(await check({ key: 'sk-limited-0123456' }), 'good, and may not list models').toBe('valid')
  expect(await check({ key: 'a-google-0123456', provider: 'gemini' })).toBe('refused')
  expect(await check({ key: 'sk-busy-0123456789' })).toBe('unreachable')
  expect(await check({ key: 'sk-hung-0123456789' }), 'an answer that never ends').toBe('unreachable')
  expect(await check({ provider: 'mistral' })).toBe('unreachable')
})

test('rotation replaces the secret, and forgets the check of the one before', async () => {
  const { call, add } = newUser()
  const key = await add({ check: true })
  const { body } = await call('post', `/keys/${key.id}/rotate`, { key: 'sk-good-another-0001' })
  expect(body).toMatchObject({ id: key.id, last_four: '0001', checked_at: null, default: true })
  expect((body as llmProxy.ProviderKey).rotated_at).not.toBeNull()
  await call('post', `/keys/${key.id}/check`)
  expect(at.asked().at(-1)?.headers.authorization).toBe('Bearer sk-good-another-0001')
})

test('an endpoint of its own is for llm.custom_urls, https, public, and nothing but a place', async () => {
  const without = await newUser().call('post', '/keys', {
    provider: 'openai',
    key: GOOD,
    base_url: 'https://llm.example.com',
  })
  expect(without.body).toMatchObject({ code: 'insufficient_permission', permission: 'llm.custom_urls' })
  const { call, add } = newUser('agents.query llm.custom_urls')
  const refused = [
    'http://llm.example.com',
    'ftp://llm.example.com',
    'https://user:sk-canary@llm.example.com',
    'https://llm.example.com/?key=sk-canary',
    'https://llm.example.com/#sk-canary',
    'https://llm.example.com?',
    'https://127.0.0.1',
    'https://2130706433',
    'https://0x7f.1/',
    'https://[::1]',
    'https://[::ffff:10.0.0.1]',
    'https://169.254.169.254/latest',
    'http://10.1.2.3:8001',
    'sk-canary',
  ]
  for (const base_url of refused) {
    const answer = await call('post', '/keys', { provider: 'openai', key: GOOD, base_url })
    expect(answer.body, base_url).toMatchObject({ status: 422, reason: 'base_url_refused' })
    expect(answer.text).not.toContain('canary')
  }
  expect((await add({ base_url: 'https://llm.example.com:8443/v2/' })).base_url).toBe(
    'https://llm.example.com:8443/v2',
  )
  expect((await add({ base_url: 'http://10.1.2.3:8000' })).base_url).toBe('http://10.1.2.3:8000')
})

test('a name that leads to a private address is refused when it is called, be it that of a private provider', async () => {
  const { call, add } = newUser('agents.query llm.custom_urls')
  const { id } = await add({ base_url: 'https://localhost:9' })
  const { body } = await call('post', `/keys/${id}/check`)
  expect(body).toMatchObject({
    status: 400,
    detail: expect.stringContaining('not a public address') as string,
  })
  const chat = { model: 'openai/gpt-x', messages: [] }
  expect((await call('post', '/v1/chat/completions', chat)).body).toMatchObject({
    error: { message: expect.stringContaining('not a public address') as string },
  })
})

test('a private address that the operator configured, and does not vouch for, is no fault of the user', async () => {
  const { call, add } = newUser()
  const { id } = await add({ provider: 'unvouched' })
  expect((await call('post', `/keys/${id}/check`)).body).toMatchObject({ result: 'unreachable' })
})

test('so many checks may a user ask for in a minute, however they are asked for', async () => {
  const { call, add } = newUser()
  const { id } = await add({ check: true })
  await call('post', `/keys/${id}/rotate`, { key: GOOD, check: true })
  for (let check = 2; check < 10; check += 1) {
    expect((await call('post', `/keys/${id}/check`)).status).toBe(200)
  }
  at.asked()
  const refused = [
    await call('post', `/keys/${id}/check`),
    await call('post', `/keys/${id}/rotate`, { key: GOOD, check: true }),
    await call('post', '/keys', { provider: 'openai', key: GOOD, check: true }),
  ]
  for (const { status, headers } of refused) expect([status, 'retry-after' in headers]).toEqual([429, true])
  expect(at.asked()).toEqual([])
  expect((await call('post', '/keys', { provider: 'openai', key: GOOD })).status).toBe(201)
  expect(await newUser().add({ check: true })).toMatchObject({ provider: 'openai' })
})
