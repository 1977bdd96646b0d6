import * as argon2 from '@node-rs/argon2'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { claimsOf, PASSWORD, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

// The real thing, counted.
vi.mock('@node-rs/argon2', { spy: true })

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ PASSWORD_HISTORY: '3' })
})
afterAll(() => setting.close())

const change = (
  { access_token }: Pick<Session, 'access_token'>,
  current: string,
  next: string,
  http = setting.http,
) =>
  http
    .post('/auth/change-password')
    .set('Authorization', `Bearer ${access_token}`)
    .send({ current_password: current, new_password: next })
const me = (token: string) => setting.http.get('/auth/me').set('Authorization', `Bearer ${token}`)

const NEXT = 'another horse, another battery'

describe('changing the password', () => {
  it('makes the new one good and the old one useless', async () => {
    const user = await setting.newUser()
    await change(user, PASSWORD, NEXT).expect(204)
    await setting.logIn(user.username).expect(401)
    await setting.logIn(user.username, NEXT).expect(200)
  })

  it('ends every other session, tells every service so, and leaves the one that asks', async () => {
    const user = await setting.newUser()
    const { body: other } = await setting.logIn(user.username).expect(200)
    await change(user, PASSWORD, NEXT).expect(204)
    await me(other.access_token).expect(401)
    await setting.refresh(other.refresh_token).expect(401)
    await me(user.access_token).expect(200)
    await setting.refresh(user.refresh_token).expect(200)
    const revoked = await setting.admin(`select subject from revocations where kind = 'session'`)
    expect(revoked).toContainEqual({ subject: claimsOf(other.access_token).sid })
    expect(revoked).not.toContainEqual({ subject: claimsOf(user.access_token).sid })
    const [row] = await setting.admin(
      `select outcome, details from audit where action = 'user.password_change' and actor = $1`,
      [`user:${user.user_id}`],
    )
    expect(row).toEqual({ outcome: 'success', details: { sessions_ended: 1 } })
  })

  it.each([
    ['a wrong current password', 'wrong', NEXT],
    ['a wrong current password, whatever the new one is worth', 'wrong', 'password1'],
    ['an empty current password', '', NEXT],
  ])('with %s costs one hash, is 401, changes nothing and is audited', async (_, current, next) => {
    const user = await setting.newUser()
    vi.clearAllMocks()
    const { body } = await change(user, current, next).expect(401)
    expect(body.code).toBe('invalid_credentials')
    expect(vi.mocked(argon2.verify)).toHaveBeenCalledOnce()
    expect(vi.mocked(argon2.hash)).not.toHaveBeenCalled()
    await setting.logIn(user.username).expect(200)
    const [row] = await setting.admin(
      `select outcome from audit where action = 'user.password_change' and actor = $1`,
      [`user:${user.user_id}`],
    )
    expect(row).toEqual({ outcome: 'denied' })
  })

  it.each([
    ['the current one', PASSWORD, 'is the current password'],
    ['a common one', 'password1', 'most common'],
    ['a name', 'waybill1', 'a name'],
  ])('to %s is 400, and names the field', async (_, next, why) => {
    const user = await setting.newUser()
    const { body } = await change(user, PASSWORD, next).expect(400)
    expect(body.errors).toEqual([{ in: 'body', path: 'new_password', message: expect.stringContaining(why) }])
    await me(user.access_token).expect(200)
  })

  it('to one of the last is refused, and to one before those is not (PASSWORD_HISTORY, 3 here)', async () => {
    const user = await setting.newUser()
    const [second, third, fourth] = [
      'number two of mine',
      'number three of mine',
      'number four of mine',
    ] as const
    await change(user, PASSWORD, second).expect(204)
    await change(user, second, third).expect(204)
    const { body } = await change(user, third, PASSWORD).expect(400)
    expect(body.errors[0].message).toBe('was used before')
    await change(user, third, fourth).expect(204)
    await change(user, fourth, PASSWORD).expect(204)
  })

  it('of two at the same time one wins, and the other is told', async () => {
    const user = await setting.newUser()
    const answers = await Promise.all([
      change(user, PASSWORD, 'the first of two'),
      change(user, PASSWORD, 'the second of two'),
    ])
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses[0]).toBe(204)
    expect([401, 409]).toContain(statuses[1])
  })

  it.each([
    ['is changed', async (user: Session) => change(user, PASSWORD, NEXT).expect(204)],
    [
      'belongs to who is disabled',
      (user: Session) => setting.admin('update users set disabled_at = now() where id = $1', [user.user_id]),
    ],
  ])(
    'a login with the old password opens nothing when that %s while it is compared',
    async (_, meanwhile) => {
      const user = await setting.newUser()
      const compared = Promise.withResolvers<undefined>()
      const held = Promise.withResolvers<boolean>()
      vi.mocked(argon2.verify).mockImplementationOnce(() => {
        compared.resolve(undefined)
        return held.promise
      })
      const login = setting.logIn(user.username).then((answer) => answer)
      await compared.promise
      await meanwhile(user)
      held.resolve(true)
      expect((await login).status).toBe(401)
      const [last] = await setting.admin(
        `select outcome, details from audit where action = 'session.login' and resource = $1 order by seq desc limit 1`,
        [`user/${user.user_id}`],
      )
      expect(last).toEqual({ outcome: 'denied', details: { reason: 'changed_meanwhile' } })
      const live = await setting.admin(
        'select 1 from sessions where user_id = $1 and revoked_at is null and id != $2',
        [user.user_id, claimsOf(user.access_token).sid],
      )
      expect(live).toEqual([])
    },
  )

  it('wrong current passwords lock it, and count against the name too', async () => {
    const user = await setting.newUser()
    const http = supertest((await setting.another({ LOGIN_LOCK_AFTER: '3' })).app)
    for (let tried = 0; tried < 3; tried += 1) await change(user, 'wrong', NEXT, http).expect(401)
    const { headers } = await change(user, 'wrong', NEXT, http).expect(429)
    expect(headers['retry-after']).toBe('1')
    await http.post('/auth/login').send({ username: user.username, password: PASSWORD }).expect(429)
  })

  it('is limited like logging in', async () => {
    const user = await setting.newUser()
    const http = supertest((await setting.another({ LOGIN_LIMIT_PER_MINUTE: '2' })).app)
    await change(user, 'wrong', NEXT, http).expect(401)
    await change(user, 'wrong', NEXT, http).expect(401)
    const { headers } = await change(user, 'wrong', NEXT, http).expect(429)
    expect(headers['ratelimit-policy']).toBe('"password-change";q=2;w=60')
  })
})

describe('parameters of the hash', () => {
  it('are those of the configuration from the next login on', async () => {
    const user = await setting.newUser()
    const stronger = await setting.another({ PASSWORD_HASH_MEMORY_KIB: '20480', PASSWORD_HASH_PASSES: '3' })
    const logIn = () =>
      supertest(stronger.app)
        .post('/auth/login')
        .send({ username: user.username, password: PASSWORD })
        .expect(200)
    await logIn()
    const [row] = await setting.admin('select password_hash from users where id = $1', [user.user_id])
    expect(row!.password_hash).toMatch(/^\$argon2id\$v=19\$m=20480,t=3,p=1\$/)
    vi.clearAllMocks()
    await logIn()
    expect(vi.mocked(argon2.hash)).not.toHaveBeenCalled()
    await setting.refresh(user.refresh_token).expect(200)
  })

  it('are taken over by one of two logins at once, and both get their session', async () => {
    const user = await setting.newUser()
    const stronger = await setting.another({ PASSWORD_HASH_PASSES: '3' })
    await setting.admin('begin')
    await setting.admin('select 1 from users where id = $1 for update', [user.user_id])
    const logins = [1, 2].map(async () =>
      supertest(stronger.app).post('/auth/login').send({ username: user.username, password: PASSWORD }),
    )
    await setting.waiting(2)
    await setting.admin('commit')
    expect((await Promise.all(logins)).map(({ status }) => status)).toEqual([200, 200])
  })

  it('of a wrong login change nothing', async () => {
    const user = await setting.newUser()
    const stronger = await setting.another({ PASSWORD_HASH_PASSES: '3' })
    vi.clearAllMocks()
    await supertest(stronger.app)
      .post('/auth/login')
      .send({ username: user.username, password: 'wrong' })
      .expect(401)
    expect(vi.mocked(argon2.hash)).not.toHaveBeenCalled()
  })
})
