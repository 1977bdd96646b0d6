import * as argon2 from '@node-rs/argon2'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { PASSWORD, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

// The real thing, counted.
vi.mock('@node-rs/argon2', { spy: true })

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ PASSWORD_HASH_CONCURRENCY: '1', PASSWORD_HASH_QUEUE: '1' })
})
afterAll(() => setting.close())

it.each([
  ['of a user with the right password', 'user-1', PASSWORD, 200],
  ['of a user with a wrong password', 'user-1', 'wrong', 401],
  ['of a user with an empty password (keycloak #51887)', 'user-1', '', 401],
  ['of nobody', 'nobody', PASSWORD, 401],
  ['of nobody with an empty password', 'nobody', '', 401],
])('a login %s costs exactly one hash of the same cost', async (_, username, password, status) => {
  const there = await setting.admin(`select 1 from users where username = 'user-1'`)
  if (there.length === 0) await setting.newUser()
  vi.clearAllMocks()
  await setting.logIn(username, password).expect(status)
  expect(vi.mocked(argon2.hash)).not.toHaveBeenCalled()
  expect(vi.mocked(argon2.verify)).toHaveBeenCalledOnce()
  const [kept] = vi.mocked(argon2.verify).mock.calls[0]!
  expect(argon2.parseOptions(kept)).toMatchObject({
    ...{ memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32, saltLen: 16 },
  })
})

it('no password matches the decoy of a name that nobody has, even if argon2 said so', async () => {
  vi.mocked(argon2.verify).mockResolvedValueOnce(true)
  await setting.logIn('nobody').expect(401)
})

it('of three logins at once on one permit and one place to wait, the third is answered 503 with Retry-After', async () => {
  const { username } = await setting.newUser()
  const held = Promise.withResolvers<boolean>()
  const begun = Promise.withResolvers<undefined>()
  vi.mocked(argon2.verify).mockImplementationOnce(() => {
    begun.resolve(undefined)
    return held.promise
  })
  const first = setting.logIn(username).then(({ status }) => status)
  await begun.promise
  const rest = [setting.logIn(username), setting.logIn(username)].map((login) =>
    login.then((answer) => answer),
  )
  const refused = await Promise.race(rest)
  expect(refused.status).toBe(503)
  expect(refused.headers['retry-after']).toBe('1')
  // Whatever hashes nothing is served meanwhile.
  await setting.http.get('/.well-known/jwks.json').expect(200)
  held.resolve(true)
  expect(await first).toBe(200)
  expect((await Promise.all(rest)).map(({ status }) => status).sort()).toEqual([200, 503])
})
