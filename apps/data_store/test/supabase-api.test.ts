import { describe, expect, test } from 'vitest'
import { loadConfig } from '@waybill/service-kit'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { supabaseSettings } from '../src/backends/supabase/config.ts'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { records, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
onPostgrest(
  async () => {
    setting = await startSetting({}, { supabase: true })
  },
  () => setting.close(),
)

describe('the backend supabase', () => {
  test('keeps a record for its owner, who is whoever the token for Supabase names', async () => {
    const alice = await setting.as('alice')
    await alice('post', records('supabase'), { id: 'a', data: { title: 'x' } }).expect(201)
    const bob = await setting.as('bob')
    await bob('get', records('supabase', 'notes', 'a')).expect(404)
    const { headers, body } = await alice('get', records('supabase', 'notes', 'a')).expect(200)
    expect([headers.etag, body]).toEqual([
      '"1"',
      expect.objectContaining({ owner: 'alice', data: { title: 'x' } }),
    ])
    const claims = setting.supabaseTokens.given.map(claimsOf)
    expect(claims[0]).toEqual({
      ...{ iss: 'https://waybill.local', aud: 'supabase', sub: 'alice', client_id: 'data_store' },
      ...{ principal: 'user', role: 'authenticated', scope: 'memory.read memory.write' },
      ...{ act: { sub: 'data_store' }, iat: expect.any(Number) as number, nbf: expect.any(Number) as number },
      ...{
        exp: expect.any(Number) as number,
        jti: expect.any(String) as string,
        origin_jti: expect.any(String) as string,
      },
    })
  })

  test('gets a new token when the one that it has has expired on its way', async () => {
    const carol = await setting.as('carol')
    setting.supabaseTokens.issuedInSeconds = -1_000
    const before = setting.supabaseTokens.forgotten
    await carol('get', records('supabase')).expect(200)
    expect(setting.supabaseTokens.forgotten).toBe(before + 1)
  })

  test('a token for Supabase is worth nothing at a service', async () => {
    const token = setting.supabaseTokens.given.at(-1) ?? ''
    await setting.anonymous.get(records('supabase')).set('Authorization', `Bearer ${token}`).expect(401)
  })

  test('tells nobody a key or a token, in answers of whatever kind', async () => {
    const alice = await setting.as('alice')
    const { publishableKey, secretKey } = setting.supabase
    const answers = [
      await alice('get', '/v1/backends'),
      await alice('get', records('supabase')),
      await alice('post', records('supabase'), { id: 'a', data: {} }),
      await alice('get', records('supabase', 'not-declared')),
    ]
    await setting.supabase.kill()
    answers.push(await alice('get', records('supabase')))
    await setting.supabase.restart()
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 409, 404, 503])
    const told = answers.map(({ headers, text }) => JSON.stringify(headers) + text).join()
    for (const secret of [publishableKey, secretKey, ...setting.supabaseTokens.given])
      expect(told).not.toContain(secret)
  })
})

describe('the configuration', () => {
  const base = { DATABASE_URL: 'postgres://x@127.0.0.1/x', SERVICE_SECRET: 'x' }
  const settings = (environment: Record<string, string>) =>
    supabaseSettings(loadConfig(configSchema, { ...base, ...environment }))

  test('without a URL there is no backend, and a URL wants a publishable key', () => {
    expect(settings({ SUPABASE_SECRET_KEY: 'canary' })).toBeUndefined()
    expect(() => settings({ SUPABASE_URL: 'https://p.supabase.co', SUPABASE_SECRET_KEY: 'canary' })).toThrow(
      'SUPABASE_PUBLISHABLE_KEY: is required',
    )
    expect(() => createApp(loadConfig(configSchema, { ...base, SUPABASE_URL: 'https://p.supabase.co' }))).toThrow('SUPABASE_PUBLISHABLE_KEY') // prettier-ignore
  })

  test.each([
    'http://p.supabase.co',
    'http://10.0.0.5:8000',
    'https://user:pass@p.supabase.co',
    'https://:pass@p.supabase.co',
    'https://p.supabase.co/rest/v1',
    'https://p.supabase.co?y#z',
    'https://p.supabase.co/#',
  ])('keys and tokens do not go to %s', (url) => {
    const named = expect.objectContaining({
      message: expect.stringContaining('SUPABASE_URL: must') as string,
    })
    expect(() => settings({ SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: 'x' })).toThrow(named as Error)
  })

  test.each(['/../..', '/rest/../../v1', '/.', '//v1', '/rest?x', 'rest'])(
    '%s is no path to go to',
    (path) => {
      expect(() => settings({ SUPABASE_REST_PATH: path })).toThrow('SUPABASE_REST_PATH: must be a path')
    },
  )

  test.each([
    ['http://127.0.0.1:3000', '/', 'http://127.0.0.1:3000'],
    ['http://[::1]:3000/', '/rest/v1/', 'http://[::1]:3000/rest/v1'],
    ['https://p.supabase.co', '/a.b/c-d', 'https://p.supabase.co/a.b/c-d'],
  ])('%s with %s is %s', (url, path, baseUrl) => {
    const given = { SUPABASE_URL: url, SUPABASE_REST_PATH: path, SUPABASE_PUBLISHABLE_KEY: 'x' }
    expect(settings(given)).toMatchObject({ baseUrl })
  })

  test('takes the keys by their old names too, and shows neither', () => {
    const old = settings({
      ...{ SUPABASE_URL: 'https://p.supabase.co/', SUPABASE_ANON_KEY: 'canary-a' },
      SUPABASE_SERVICE_ROLE_KEY: 'canary-s',
    })
    expect(old?.baseUrl).toBe('https://p.supabase.co/rest/v1')
    expect([old?.publishableKey.reveal(), old?.secretKey?.reveal()]).toEqual(['canary-a', 'canary-s'])
    expect(JSON.stringify(old)).not.toContain('canary')
  })
})

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
