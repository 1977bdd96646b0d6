import type { llmProxy } from '@waybill/contracts'
import supertest from 'supertest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GOOD, startKeysService } from './keys-service.ts'
import type { KeysService } from './keys-service.ts'

let at: KeysService
const newUser = (scope?: string) => at.newUser(scope)

beforeAll(async () => {
  at = await startKeysService()
})
afterAll(() => at.close())

test('a key goes in and never comes out: what is told is its last four characters', async () => {
  const { call, add } = newUser()
  const key = await add({ name: 'work' })
  expect(key).toMatchObject({
    provider: 'openai',
    name: 'work',
    last_four: 'WXYZ',
    default: true,
    base_url: null,
  })
  const short = await add({ key: 'elevenchars', provider: 'mistral' })
  expect(short.last_four, 'a key of under 12 characters shows none').toBeNull()
  const list = await call('get', '/keys')
  expect(list.body).toEqual({ keys: [key, short] })
  expect((await call('get', '/keys?provider=mistral')).body).toEqual({ keys: [short] })
  expect((await call('get', `/keys/${key.id}`)).body).toEqual(key)
  expect(list.text).not.toMatch(/good|eleven/)
})

test('the first key of a provider is its default; another one takes its place, and a deleted one leaves it to nobody', async () => {
  const { call, add } = newUser()
  const first = await add({ name: 'first' })
  const second = await add({ name: 'second' })
  const other = await add({ provider: 'anthropic' })
  expect([first.default, second.default, other.default]).toEqual([true, false, true])
  expect((await call('patch', `/keys/${second.id}`, { default: true })).body).toMatchObject({ default: true })
  const defaults = async () => {
    const { keys } = (await call('get', '/keys?provider=openai')).body as { keys: llmProxy.ProviderKey[] }
    return keys.filter((key) => key.default).map(({ name }) => name)
  }
  expect(await defaults()).toEqual(['second'])
  expect((await call('delete', `/keys/${second.id}`)).status).toBe(204)
  expect(await defaults()).toEqual([])
  expect((await call('get', `/keys/${second.id}`)).status).toBe(404)
  await add({ name: 'third' })
  expect(await defaults(), 'a new one takes the place that is free').toEqual(['third'])
})

test("nobody reads, changes or deletes another's key", async () => {
  const owner = newUser()
  const { id } = await owner.add()
  const other = newUser()
  const attempts = [
    other.call('get', `/keys/${id}`),
    other.call('patch', `/keys/${id}`, { name: 'mine' }),
    other.call('post', `/keys/${id}/rotate`, { key: GOOD }),
    other.call('post', `/keys/${id}/check`),
    other.call('delete', `/keys/${id}`),
  ]
  expect((await Promise.all(attempts)).map(({ status }) => status)).toEqual([404, 404, 404, 404, 404])
  expect((await owner.call('get', `/keys/${id}`)).body).toMatchObject({ id, rotated_at: null })
  expect(at.asked()).toEqual([])
})

test('keys are for who has logged in: not for an API key, not without agents.query, not for a service', async () => {
  const { issuer, service } = at.setting
  const asKey = await supertest(service.app).get('/keys').set('X-API-Key', issuer.apiKey('alice'))
  const onward = await issuer.userToken('alice', {
    audience: 'llm-proxy',
    actors: ['gateway'],
    apiKeyId: 'k1',
  })
  const asOnward = await supertest(service.app).get('/keys').set('Authorization', `Bearer ${onward}`)
  const forService = await issuer.serviceToken('docling', { audience: 'llm-proxy' })
  const asService = await supertest(service.app).get('/keys').set('Authorization', `Bearer ${forService}`)
  expect([asKey.status, asOnward.status, asService.status]).toEqual([403, 403, 403])
  expect((await newUser('memory.read').call('get', '/keys')).body).toMatchObject({
    code: 'insufficient_permission',
  })
  expect((await supertest(service.app).get('/keys')).status).toBe(401)
})

test('a name is taken once for a provider, and there are no more keys than may be, under parallel requests too', async () => {
  const { call, add } = newUser()
  const { id } = await add({ name: 'one' })
  await add({ name: 'one', provider: 'anthropic' })
  const again = await call('post', '/keys', { provider: 'openai', key: GOOD, name: 'one' })
  expect(again.body).toMatchObject({ status: 409, reason: 'name_taken' })
  await add({ name: 'two' })
  expect((await call('patch', `/keys/${id}`, { name: 'two' })).body).toMatchObject({ reason: 'name_taken' })
  const many = await Promise.all(
    Array.from({ length: 8 }, () => call('post', '/keys', { provider: 'openai', key: GOOD })),
  )
  expect(many.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)])
  expect(many.find(({ status }) => status === 409)?.body).toMatchObject({ reason: 'too_many_keys' })
})

test('what is wrong is named, and nothing of the body is repeated', async () => {
  const { call } = newUser()
  const canary = 'sk-canary-99887766'
  const wrong: [object, string][] = [
    [{ provider: 'openai', key: [canary] }, 'body.key'],
    [{ provider: 'openai', key: { [canary]: canary } }, 'body.key'],
    [{ provider: 'openai', key: `${canary} ${canary}` }, 'body.key'],
    [{ provider: 'openai', key: `${canary}\n` }, 'body.key'],
    [{ provider: 'openai', key: `${canary}é` }, 'body.key'],
    [{ provider: 'openai', key: 'short' }, 'body.key'],
    [{ provider: 'openai', key: canary.repeat(30) }, 'body.key'],
    [{ provider: canary, key: canary }, 'There is no such provider'],
    [{ provider: `${canary}/`, key: canary }, 'body.provider'],
    [{ provider: 'openai', key: canary, name: canary }, 'body.name'],
    [{ provider: 'openai', key: canary, name: canary.slice(3) }, 'body.name'],
    [{ provider: 'openai', key: canary, [canary]: 1 }, 'body'],
    [{ provider: 'openai', key: canary, check: canary }, 'body.check'],
    [{ provider: 'openai' }, 'body.key'],
  ]
  for (const [body, named] of wrong) {
    const answer = await call('post', '/keys', body)
    expect(answer.status, answer.text).toBeOneOf([400, 422])
    expect(answer.body).toMatchObject({ detail: expect.stringContaining(named) as string })
    expect(answer.text).not.toContain('canary')
  }
  expect((await call('get', '/keys')).body).toEqual({ keys: [] })
})

test('each fault is told once, and what is said of the whole only when its members are right', async () => {
  const { call } = newUser()
  const faultsOf = async (method: 'post' | 'patch', path: string, body: object) => {
    const { errors } = (await call(method, path, body)).body as {
      errors?: { path: string; message: string }[]
    }
    return errors?.map(({ path: at, message }) => `${at}: ${message}`)
  }
  const id = '00000000-0000-4000-8000-000000000000'
  const key = [expect.stringMatching(/^key: /)]
  expect(await faultsOf('post', '/keys', { provider: 'openai', key: '' })).toEqual(key)
  const unknown = [': There is a member that this route does not know.']
  expect(await faultsOf('patch', `/keys/${id}`, { nmae: 'x' })).toEqual(unknown)
  expect(await faultsOf('patch', `/keys/${id}`, {})).toEqual([': Give `name` or `default`.'])
})

test('a key for a provider that needs none is 422, since it would never be used', async () => {
  const refused = await newUser().call('post', '/keys', { provider: 'ollama', key: GOOD })
  expect(refused.body).toMatchObject({ status: 422, reason: 'provider_needs_no_key' })
  expect(refused.body).toMatchObject({ detail: 'ollama needs no key: one for it would never be used.' })
})

test('a change counts for the next call at once', async () => {
  const { name, call, add } = newUser()
  const used = async (key?: string) => {
    const answer = await supertest(at.setting.service.app)
      .post('/openai/v1/chat/completions')
      .set('Authorization', `Bearer ${await at.setting.tokenOf(name)}`)
      .set(key === undefined ? {} : { 'X-Provider-Key': key })
      .send({ model: 'gpt-5', messages: [] })
    return (
      at.asked()[0]?.headers.authorization ?? (answer.body as { error: { message: string } }).error.message
    )
  }
  expect(await used()).toContain('You have no key for openai')
  const first = await add({ name: 'first', key: 'sk-good-first-001' })
  expect(await used()).toBe('Bearer sk-good-first-001')
  await call('post', `/keys/${first.id}/rotate`, { key: 'sk-good-first-002' })
  expect(await used()).toBe('Bearer sk-good-first-002')
  const second = await add({ name: 'second', key: 'sk-good-second-01' })
  expect(await used()).toBe('Bearer sk-good-first-002')
  expect(await used('second')).toBe('Bearer sk-good-second-01')
  await call('patch', `/keys/${second.id}`, { default: true })
  expect(await used()).toBe('Bearer sk-good-second-01')
  await call('delete', `/keys/${second.id}`)
  expect(await used()).toContain('None of your keys for openai is the default one')
  expect(await used('second')).toContain('no key for openai of that name')
  expect(await used(first.id)).toBe('Bearer sk-good-first-002')
})
