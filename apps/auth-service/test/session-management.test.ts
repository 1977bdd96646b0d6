import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const call = (method: 'get' | 'delete', path: string, { access_token }: Pick<Session, 'access_token'>) =>
  setting.http[method](path).set('Authorization', `Bearer ${access_token}`)
const sid = ({ access_token }: Pick<Session, 'access_token'>) => claimsOf(access_token).sid as string
const logInAgain = async (username: string) => (await setting.logIn(username).expect(200)).body as Session
const revoked = async () =>
  (await setting.admin(`select subject from revocations where kind = 'session'`)).map(
    ({ subject }) => subject,
  )

describe('the sessions of a user', () => {
  it('are listed, the newest first, with the one that asks marked; those of others are not', async () => {
    const first = await setting.newUser()
    const second = await logInAgain(first.username)
    await setting.newUser()
    await setting.refresh(first.refresh_token).expect(200)
    const { body } = await call('get', '/auth/sessions', first).expect(200)
    expect(body.sessions).toEqual([
      { ...shape(sid(second)), current: false },
      { ...shape(sid(first)), current: true },
    ])
    const [other, own] = body.sessions as Record<'created_at' | 'last_used_at', string>[]
    expect(other!.last_used_at).toBe(other!.created_at)
    expect(own!.last_used_at > own!.created_at).toBe(true)
  })

  it('that have ended or expired are not listed', async () => {
    const first = await setting.newUser()
    const [second, third] = [await logInAgain(first.username), await logInAgain(first.username)]
    await setting.logOut(second.access_token).expect(204)
    await setting.admin('update sessions set expires_at = now() where id = $1', [sid(third)])
    const { body } = await call('get', '/auth/sessions', first).expect(200)
    expect(body.sessions).toHaveLength(1)
  })

  it('can be ended one by one, and every service is told', async () => {
    const first = await setting.newUser()
    const second = await logInAgain(first.username)
    await call('delete', `/auth/sessions/${sid(second)}`, first).expect(204)
    await call('get', '/auth/me', second).expect(401)
    await setting.refresh(second.refresh_token).expect(401)
    await call('get', '/auth/me', first).expect(200)
    expect(await revoked()).toContain(sid(second))
    await call('delete', `/auth/sessions/${sid(second)}`, first).expect(404)
  })

  it('of somebody else cannot be ended, not even by an administrator on this path', async () => {
    const victim = await setting.newUser()
    for (const other of [await setting.newUser(), await setting.newAdmin()])
      await call('delete', `/auth/sessions/${sid(victim)}`, other).expect(404)
    await call('get', '/auth/me', victim).expect(200)
  })

  it('can be ended all but the one that asks', async () => {
    const first = await setting.newUser()
    const others = [await logInAgain(first.username), await logInAgain(first.username)]
    const { body } = await call('delete', '/auth/sessions', first).expect(200)
    expect(body).toEqual({ revoked: 2 })
    for (const other of others) await call('get', '/auth/me', other).expect(401)
    await call('get', '/auth/me', first).expect(200)
    expect(await revoked()).toEqual(expect.arrayContaining(others.map(sid)))
    expect(await revoked()).not.toContain(sid(first))
  })

  it('that end by log-out or by the reuse of a refresh token are told to every service too', async () => {
    const first = await setting.newUser()
    await setting.logOut(first.access_token).expect(204)
    const second = await setting.newUser()
    const { body } = await setting.refresh(second.refresh_token).expect(200)
    await setting.refresh(body.refresh_token as string).expect(200)
    await setting.refresh(second.refresh_token).expect(401)
    expect(await revoked()).toEqual(expect.arrayContaining([sid(first), sid(second)]))
  })
})

describe('refreshing, when something goes wrong in between', () => {
  it('a token of any generation but the last two ends the session, however long ago it was (supabase/auth #1901)', async () => {
    const user = await setting.newUser()
    const tokens = [user.refresh_token]
    for (let turn = 0; turn < 5; turn += 1) {
      const { body } = await setting.refresh(tokens.at(-1)!).expect(200)
      tokens.push(body.refresh_token as string)
    }
    await setting.admin(`update sessions set rotated_at = rotated_at - interval '9 hours' where id = $1`, [
      sid(user),
    ])
    await setting.refresh(tokens[2]!).expect(401)
    await setting.refresh(tokens.at(-1)!).expect(401)
    const rows = await setting.admin(
      `select action from audit where action = 'session.refresh_reuse' and resource = $1`,
      [`session/${sid(user)}`],
    )
    expect(rows).toHaveLength(1)
  })

  it('ten copies of a spent token at once end the session once', async () => {
    const user = await setting.newUser()
    const { body } = await setting.refresh(user.refresh_token).expect(200)
    await setting.refresh(body.refresh_token as string).expect(200)
    await Promise.all(Array.from({ length: 10 }, () => setting.refresh(user.refresh_token).expect(401)))
    const rows = await setting.admin(
      `select 1 from audit where action = 'session.refresh_reuse' and resource = $1`,
      [`session/${sid(user)}`],
    )
    expect(rows).toHaveLength(1)
    expect((await revoked()).filter((id) => id === sid(user))).toHaveLength(1)
  })

  it('a client whose answer got lost asks again, also of another instance, and goes on with what it gets', async () => {
    const user = await setting.newUser()
    const { body: lost } = await setting.refresh(user.refresh_token).expect(200)
    const other = supertest((await setting.another()).app)
    const again = await other.post('/auth/refresh').send({ refresh_token: user.refresh_token }).expect(200)
    expect(again.body.refresh_token).toBe(lost.refresh_token)
    await setting.refresh(again.body.refresh_token as string).expect(200)
  })

  it('twenty at once on two instances end in one successor, and nobody is logged out', async () => {
    const user = await setting.newUser()
    const apps = [setting.http, supertest((await setting.another()).app)]
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        apps[at % 2]!.post('/auth/refresh').send({ refresh_token: user.refresh_token }),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const successors = new Set(answers.map(({ body }) => body.refresh_token as string))
    expect(successors.size).toBe(1)
    await setting.refresh([...successors][0]!).expect(200)
  })

  it('of a disabled user is refused', async () => {
    const user = await setting.newUser()
    await setting.admin('update users set disabled_at = now() where id = $1', [user.user_id])
    await setting.refresh(user.refresh_token).expect(401)
    await call('get', '/auth/me', user).expect(401)
    await setting.exchange('gateway', 'docling', user.access_token).expect(400)
  })
})

function shape(id: string) {
  return {
    session_id: id,
    created_at: expect.any(String) as string,
    last_used_at: expect.any(String) as string,
    expires_at: expect.any(String) as string,
  }
}
