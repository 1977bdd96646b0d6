import * as argon2 from '@node-rs/argon2'
import supertest from 'supertest'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { comparable, PASSWORD, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

// The real thing, counted.
vi.mock('@node-rs/argon2', { spy: true })

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ LOGIN_LOCK_AFTER: '', LOGIN_LOCK_ADDRESS_AFTER: '' })
})
afterAll(() => setting.close())
beforeEach(() => setting.admin('delete from login_locks'))

/** As if so much time had passed since. */
const pass = (seconds: number) =>
  setting.admin(
    `update login_locks set locked_until = locked_until - make_interval(secs => $1),
       failed_at = failed_at - make_interval(secs => $1)`,
    [seconds],
  )

/** Wrong passwords one after the other, each as soon as it may be tried; how long each lock is, in seconds. */
async function locksOf(name: string, attempts: number): Promise<number[]> {
  const locks: number[] = []
  for (let tried = 0; tried < attempts; tried += 1) {
    await setting.logIn(name, 'wrong').expect(401)
    const [row] = await setting.admin(
      `select coalesce(round(extract(epoch from locked_until - failed_at)), 0)::int as seconds
       from login_locks order by failed_at desc, failures limit 1`,
    )
    locks.push(row!.seconds as number)
    await pass(row!.seconds as number)
  }
  return locks
}

/** The statuses of so many calls at the same time, in order. */
const atOnce = async (count: number, call: () => PromiseLike<{ status: number }>) =>
  (await Promise.all(Array.from({ length: count }, call))).map(({ status }) => status).sort()
const times = (count: number, status: number) => Array.from({ length: count }, () => status)
/** What is counted against the name and the address of the only one who tries. */
const failuresOf = async () =>
  (await setting.admin('select failures from login_locks')).map(({ failures }) => failures)

describe('right passwords', () => {
  it('lock nobody out: twenty at once are twenty sessions, and nothing is counted', async () => {
    const { username } = await setting.newUser()
    expect(await atOnce(20, () => setting.logIn(username))).toEqual(times(20, 200))
    expect(await failuresOf()).toEqual([])
  })

  it('forget the wrong ones of the name, and not those of the address', async () => {
    const { username } = await setting.newUser()
    for (let tried = 0; tried < 4; tried += 1) await setting.logIn(username, 'wrong').expect(401)
    await setting.logIn(username).expect(200)
    expect(await failuresOf()).toEqual([4])
  })
})

describe('wrong passwords', () => {
  it('lock a name for a growing time from the fifth on, and never for longer than 15 minutes', async () => {
    const { username } = await setting.newUser()
    expect(await locksOf(username, 16)).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900])
  })

  it('lock a name that nobody has in the same way, with the same answer', async () => {
    const { username } = await setting.newUser()
    const refused = []
    for (const name of [username, 'nobody-of-this-name', 'nobody@example.test']) {
      for (let tried = 0; tried < 5; tried += 1) await setting.logIn(name, 'wrong').expect(401)
      const answer = await setting.logIn(name.toUpperCase(), PASSWORD).expect(429)
      expect(answer.headers['retry-after']).toBe('1')
      refused.push(comparable(answer.body))
    }
    expect(refused[1]).toEqual(refused[0])
    expect(refused[2]).toEqual(refused[0])
  })

  it('that are refused unheard stand in the audit like those that are heard, and no name of nobody with them', async () => {
    const { username, user_id } = await setting.newUser()
    for (const name of [username, 'my-pa55word-instead']) {
      for (let tried = 0; tried < 5; tried += 1) await setting.logIn(name, 'wrong').expect(401)
      await setting.logIn(name).expect(429)
    }
    const denied = (resource: string) =>
      setting.admin(
        `select outcome, details from audit where action = 'session.login' and resource = $1 order by seq desc limit 2`,
        [resource],
      )
    for (const resource of [`user/${user_id}`, 'user/unknown']) {
      expect(await denied(resource)).toEqual([
        { outcome: 'denied', details: { reason: 'locked' } },
        { outcome: 'denied', details: {} },
      ])
    }
    expect(JSON.stringify(await setting.admin('select * from audit'))).not.toContain('pa55word')
  })

  it('count only where they were compared: a service that is too busy to look locks nobody out', async () => {
    const { username } = await setting.newUser()
    const busy = await setting.another({
      ...{ PASSWORD_HASH_CONCURRENCY: '1', PASSWORD_HASH_QUEUE: '0', LOGIN_LOCK_AFTER: '2' },
    })
    const http = supertest(busy.app)
    const held = Promise.withResolvers<boolean>()
    const started = Promise.withResolvers<undefined>()
    vi.mocked(argon2.verify).mockImplementationOnce(() => {
      started.resolve(undefined)
      return held.promise
    })
    const first = http.post('/auth/login').send({ username: 'somebody-else', password: 'x' }).then()
    await started.promise
    for (let tried = 0; tried < 3; tried += 1)
      await http.post('/auth/login').send({ username, password: PASSWORD }).expect(503)
    held.resolve(false)
    await first
    await http.post('/auth/login').send({ username, password: PASSWORD }).expect(200)
  })

  it('are forgotten with the right one, once the lock has passed', async () => {
    const { username } = await setting.newUser()
    for (let tried = 0; tried < 5; tried += 1) await setting.logIn(username, 'wrong').expect(401)
    await setting.logIn(username).expect(429)
    await pass(1)
    await setting.logIn(username).expect(200)
    expect(await locksOf(username, 5)).toEqual([0, 0, 0, 0, 1])
  })

  it('are forgotten after a day without one', async () => {
    await locksOf('somebody', 6)
    await pass(86_401)
    expect(await locksOf('somebody', 2)).toEqual([0, 0])
  })

  it('leave the sessions that are there alone, and so the changing of the password', async () => {
    const { username, access_token, refresh_token } = await setting.newUser()
    for (let tried = 0; tried < 5; tried += 1) await setting.logIn(username, 'wrong').expect(401)
    await setting.logIn(username).expect(429)
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${access_token}`).expect(200)
    await setting.refresh(refresh_token).expect(200)
    await setting.http
      .post('/auth/change-password')
      .set('Authorization', `Bearer ${access_token}`)
      .send({ current_password: PASSWORD, new_password: 'another horse, another battery' })
      .expect(204)
  })

  it.each([
    ['somebody', async () => (await setting.newUser()).username],
    ['nobody', () => Promise.resolve('nobody-of-many-guesses')],
  ])(
    'of %s, twenty at once: each that is heard counts, and after them the name is locked',
    async (_, name) => {
      const tried = await name()
      const statuses = await atOnce(20, () => setting.logIn(tried, 'wrong'))
      // As a rule all are let in before the first is heard; on a busy machine the last ones find the lock.
      const heard = statuses.filter((status) => status === 401).length
      expect(statuses).toEqual([...times(heard, 401), ...times(20 - heard, 429)])
      expect(heard).toBeGreaterThanOrEqual(5)
      expect(await failuresOf()).toEqual([heard, heard])
      const { headers } = await setting.logIn(tried).expect(429)
      expect(Number(headers['retry-after'])).toBeGreaterThan(0.8 * Math.min(900, 2 ** (heard - 5)))
    },
  )

  it('at the same time are heard no more than LOGIN_LIMIT_PER_MINUTE allows, however many they are', async () => {
    const { username } = await setting.newUser()
    // Without a lock, which some of the eight would find.
    const environment = { LOGIN_LIMIT_PER_MINUTE: '8', LOGIN_LOCK_AFTER: '1000' }
    const http = supertest((await setting.another(environment)).app)
    const guess = (password: string) => http.post('/auth/login').send({ username, password })
    expect(await atOnce(30, () => guess('wrong'))).toEqual([...times(8, 401), ...times(22, 429)])
    await guess(PASSWORD).expect(429)
  })

  it('survive a restart, and hold nothing that was typed', async () => {
    for (let tried = 0; tried < 5; tried += 1) await setting.logIn('my-pa55word', 'wrong').expect(401)
    const http = supertest((await setting.another({ LOGIN_LOCK_AFTER: '5' })).app)
    await http.post('/auth/login').send({ username: 'my-pa55word', password: 'wrong' }).expect(429)
    expect(
      JSON.stringify(await setting.admin('select encode(key, $1) as key from login_locks', ['escape'])),
    ).not.toContain('pa55word')
  })
})

describe('an address', () => {
  it('is locked after too many wrong passwords for whatever names, and spends nobody’s attempts then', async () => {
    const { username } = await setting.newUser()
    const http = supertest((await setting.another({ LOGIN_LOCK_ADDRESS_AFTER: '3' })).app)
    const tryAs = (name: string) => http.post('/auth/login').send({ username: name, password: 'wrong' })
    for (const name of ['c1', 'c2', 'c3']) await tryAs(name).expect(401)
    const before = await setting.admin('select count(*)::int as rows from login_locks')
    expect((await tryAs(username).expect(429)).headers['retry-after']).toBe('1')
    expect(await setting.admin('select count(*)::int as rows from login_locks')).toEqual(before)
    await pass(1)
    await tryAs(username).expect(401)
    expect((await tryAs(username).expect(429)).headers['retry-after']).toBe('2')
  })

  it('is not locked by people who log in', async () => {
    const { username } = await setting.newUser()
    const http = supertest((await setting.another({ LOGIN_LOCK_ADDRESS_AFTER: '3' })).app)
    for (let tried = 0; tried < 6; tried += 1)
      await http.post('/auth/login').send({ username, password: PASSWORD }).expect(200)
  })
})

describe('every login costs exactly one hash of the same parameters', () => {
  const someone = async () => (await setting.newUser()).username
  const lockedName = async (name: string) => {
    for (let tried = 0; tried < 5; tried += 1) await setting.logIn(name, 'wrong').expect(401)
    return name
  }
  const disabledUser = async () => {
    const { username } = await setting.newUser()
    await setting.admin('update users set disabled_at = now() where username = $1', [username])
    return username
  }
  const nobody = () => Promise.resolve('nobody-at-all')

  it.each([
    ['with the right password', someone, PASSWORD, 200],
    ['with a wrong password', someone, 'wrong', 401],
    ['with an empty password (keycloak #51887)', someone, '', 401],
    ['with a password as long as can be', someone, 'x'.repeat(1024), 401],
    ['of nobody', nobody, PASSWORD, 401],
    ['of nobody with an empty password', nobody, '', 401],
    ['of nobody with a password as long as can be', nobody, 'x'.repeat(1024), 401],
    ['of a disabled user with the right password', disabledUser, PASSWORD, 401],
    ['of a user who is locked', async () => lockedName(await someone()), PASSWORD, 429],
    ['of nobody who is locked', () => lockedName('nobody-locked'), PASSWORD, 429],
  ])('%s', async (_, prepare, password, status) => {
    const name = await prepare()
    vi.clearAllMocks()
    await setting.logIn(name, password).expect(status)
    expect(vi.mocked(argon2.hash)).not.toHaveBeenCalled()
    expect(vi.mocked(argon2.verify)).toHaveBeenCalledOnce()
    const [kept] = vi.mocked(argon2.verify).mock.calls[0]!
    expect(argon2.parseOptions(kept)).toMatchObject({ memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  })

  it('the answer to a disabled user is the one to nobody', async () => {
    const known = await setting.logIn(await disabledUser()).expect(401)
    const unknown = await setting.logIn('nobody-at-all').expect(401)
    expect(comparable(known.body)).toEqual(comparable(unknown.body))
    expect(known.headers['www-authenticate']).toBe(unknown.headers['www-authenticate'])
  })
})
