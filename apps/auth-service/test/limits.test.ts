import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressBlock } from '@waybill/service-kit'
import { basic, comparable, PASSWORD, secretOf, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

/** As the product comes: the limits of seed 002. */
const DEFAULTS = { LOGIN_LIMIT_PER_MINUTE: '', REGISTRATION_LIMIT_PER_HOUR: '' }

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const logIn = (http: ReturnType<typeof supertest>, username: string, address?: string) => {
  const request = http.post('/auth/login')
  if (address !== undefined) void request.set('X-Forwarded-For', address)
  return request.send({ username, password: 'wrong' })
}

describe('logging in', () => {
  it('the sixth attempt in a minute on one account is refused, whether there is such an account or not', async () => {
    const { username } = await setting.newUser()
    const http = supertest((await setting.another(DEFAULTS)).app)
    const refused = []
    for (const name of [username, 'nobody']) {
      for (let left = 4; left >= 0; left -= 1) {
        const { headers } = await logIn(http, name).expect(401)
        expect(headers['ratelimit-policy']).toBe('"address";q=20;w=60, "account";q=5;w=60')
        expect(headers.ratelimit).toMatch(new RegExp(`^"address";r=\\d+;t=\\d+, "account";r=${left};t=\\d+$`))
      }
      // In another case of its letters it is the same account.
      refused.push(await logIn(http, name.toUpperCase()).expect(429))
    }
    for (const { headers, body } of refused) {
      expect(Number(headers['retry-after'])).toBeGreaterThan(0)
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60)
      expect(body.code).toBe('rate_limited')
    }
    expect(comparable(refused[0]!.body)).toEqual(comparable(refused[1]!.body))
  })

  it('one account has one allowance under both its names, and no answer tells that they belong together', async () => {
    const { username } = await setting.newUser()
    const http = supertest((await setting.another({ LOGIN_LIMIT_PER_MINUTE: '2' })).app)
    const right = (name: string) => http.post('/auth/login').send({ username: name, password: PASSWORD })
    for (let tries = 0; tries < 2; tries += 1) await logIn(http, username).expect(401)
    const spent = await right(`${username}@example.test`).expect(401)
    const unknown = await right('nobody@example.test').expect(401)
    expect(comparable(spent.body)).toEqual(comparable(unknown.body))
    const account = ({ headers }: supertest.Response) => /"account";r=\d+/.exec(headers.ratelimit!)?.[0]
    expect([account(spent), account(unknown)]).toEqual(['"account";r=1', '"account";r=1'])
  })

  it('a letter that only Postgres folds makes no other name of the same account', async () => {
    await setting.http
      .post('/auth/register')
      .send({ username: 'mimi', email: 'mimi@example.test', password: PASSWORD })
      .expect(201)
    await setting.logIn('MIMI').expect(200)
    for (const name of ['m\u0130mi', 'M\u0130M\u0130', 'm\u0130mi@example.test']) {
      await setting.logIn(name).expect(401)
    }
  })

  it('the right password does not help once the limit is reached', async () => {
    const { username } = await setting.newUser()
    const http = supertest((await setting.another({ LOGIN_LIMIT_PER_MINUTE: '2' })).app)
    await logIn(http, username).expect(401)
    await logIn(http, username).expect(401)
    await http.post('/auth/login').send({ username, password: PASSWORD }).expect(429)
  })

  it('an address that tries many names is refused too, and then spends nobody’s attempts', async () => {
    const { username } = await setting.newUser()
    const environment = { LOGIN_LIMIT_PER_MINUTE: '2', LOGIN_ADDRESS_LIMIT_PER_MINUTE: '3' }
    const trusting = { ...environment, TRUSTED_PROXIES: '127.0.0.1/32,::1/128' }
    const http = supertest((await setting.another(trusting)).app)
    for (const name of ['a1', 'a2', 'a3']) await logIn(http, name, '203.0.113.1').expect(401)
    for (let tries = 0; tries < 3; tries += 1) await logIn(http, username, '203.0.113.1').expect(429)
    await logIn(http, username, '203.0.113.2').expect(401)
  })

  it('X-Forwarded-For of somebody who is not a trusted proxy changes nothing (express-rate-limit #134)', async () => {
    const http = supertest((await setting.another({ LOGIN_ADDRESS_LIMIT_PER_MINUTE: '2' })).app)
    await logIn(http, 'b1', '203.0.113.1').expect(401)
    await logIn(http, 'b2', '203.0.113.2').expect(401)
    await logIn(http, 'b3', '203.0.113.3').expect(429)
  })
})

describe('registering', () => {
  it('counts only what could have made an account: neither a form nor a password that is refused', async () => {
    const environment = { ...DEFAULTS, REGISTRATION_LIMIT_PER_HOUR: '1' }
    const http = supertest((await setting.another(environment)).app)
    const register = (change: object) =>
      http.post('/auth/register').send({ username: 'careful', email: 'careful@example.com', ...change })
    for (const password of ['short', 'password1', 'aaaaaaaa', 'careful1', PASSWORD.slice(0, 7)])
      expect((await register({ password }).expect(400)).headers.ratelimit).not.toContain('registration')
    await register({ password: PASSWORD, email: 'none' }).expect(400)
    await register({ password: PASSWORD }).expect(201)
    await register({ password: PASSWORD, username: 'another' }).expect(429)
  })

  it('the fourth time in an hour from one address is refused, whatever became of the others', async () => {
    const http = supertest((await setting.another(DEFAULTS)).app)
    const register = (username: string) =>
      http.post('/auth/register').send({ username, email: `${username}@example.com`, password: PASSWORD })
    await register('first').expect(201)
    await register('first').expect(409)
    await register('second').expect(201)
    const { headers } = await register('third').expect(429)
    expect(Number(headers['retry-after'])).toBeGreaterThan(3500)
    expect(headers['ratelimit-policy']).toBe('"registration";q=3;w=3600')
    expect(await setting.admin(`select 1 from users where username = 'third'`)).toEqual([])
  })
})

describe('services that fail to authenticate', () => {
  it('are counted by address, and written down only so often; who proves itself is let in', async () => {
    const http = supertest((await setting.another({ CLIENT_FAILURES_PER_MINUTE: '2' })).app)
    const attempt = (secret: string) =>
      http
        .post('/oauth/introspect')
        .type('form')
        .set('Authorization', basic('gateway', secret))
        .send({ token: 'x' })
    await attempt('wrong').expect(401)
    await attempt('wrong').expect(401)
    const { headers, body } = await attempt('wrong').expect(429)
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    expect(body.error).toBeDefined()
    await attempt(secretOf('gateway')).expect(200)
    const rows = await setting.admin(
      `select 1 from audit where action = 'service_client.authenticate' and outcome = 'denied'`,
    )
    expect(rows).toHaveLength(2)
  })
})

describe('an address is counted', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2:ffff::1', '2001:db8:1:2::/64'],
    ['2001:db8::5:0:0:1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['not an address', 'unknown'],
    ['', 'unknown'],
  ])('%s as %s', (address, block) => {
    expect(addressBlock(address)).toBe(block)
  })
})
