import supertest from 'supertest'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claimsOf, PASSWORD, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

type Admin = Session & { username: string }

let setting: Setting
let admin: Admin
beforeAll(async () => {
  setting = await startSetting({ LOGIN_LOCK_AFTER: '3' })
  admin = await setting.newAdmin()
})
afterAll(() => setting.close())
// Others may have been made meanwhile, and disabled users are no administrators.
beforeEach(() =>
  setting.admin(`update users set role = 'user' where role = 'admin' and id != $1`, [admin.user_id]),
)

const call = (
  method: 'get' | 'patch' | 'post' | 'delete',
  path: string,
  who: Pick<Session, 'access_token'> = admin,
) => setting.http[method](`/auth/admin/users${path}`).set('Authorization', `Bearer ${who.access_token}`)
const me = ({ access_token }: Session) =>
  setting.http.get('/auth/me').set('Authorization', `Bearer ${access_token}`)
const auditOf = (id: string) =>
  setting.admin(
    `select action, actor, outcome, details from audit where resource = $1 and actor = $2 order by seq`,
    [`user/${id}`, `user:${admin.user_id}`],
  )

describe('administrators', () => {
  it('see every user, page by page, the newest first', async () => {
    for (let count = 0; count < 3; count += 1) await setting.newUser()
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`
      const { body } = await call('get', `?limit=2${query}`).expect(200)
      seen.push(...(body.items as { user_id: string }[]).map(({ user_id }) => user_id))
      cursor = body.next_cursor as string | null
    }
    const all = await setting.admin('select id from users order by created_at desc, id desc')
    expect(seen).toEqual(all.map(({ id }) => id))
  })

  it('find users by the beginning of a name, and by role; what could be a pattern is none', async () => {
    const { username, user_id } = await setting.newUser()
    const found = async (query: string) =>
      ((await call('get', query).expect(200)).body.items as { user_id: string }[]).map((item) => item.user_id)
    expect(await found(`?search=${username.toUpperCase()}`)).toContain(user_id)
    expect(await found(`?search=${username}@example`)).toEqual([user_id])
    expect(await found('?search=%25')).toEqual([])
    expect(await found('?role=admin')).toEqual([admin.user_id])
  })

  it.each(['PATCH', 'GET', 'POST', 'DELETE'])(
    'alone may: %s is 403 for everybody else, and audited',
    async (method) => {
      const user = await setting.newUser()
      const paths = {
        GET: '',
        PATCH: `/${user.user_id}`,
        POST: `/${user.user_id}/unlock`,
        DELETE: `/${user.user_id}/sessions`,
      }
      const request = call(method.toLowerCase() as 'get', paths[method as keyof typeof paths], user)
      const { body } = await request.send(method === 'PATCH' ? { role: 'admin' } : undefined).expect(403)
      expect(body).toMatchObject({ code: 'insufficient_permission', permission: 'auth.admin' })
      const [row] = await setting.admin(
        `select outcome, resource, details from audit where action = 'access.denied' and actor = $1`,
        [`user:${user.user_id}`],
      )
      expect(row).toMatchObject({
        outcome: 'denied',
        resource: expect.stringMatching(new RegExp(`^route/${method} /auth/admin/users`)),
        details: { code: 'insufficient_permission', permission: 'auth.admin' },
      })
    },
  )

  it('change role and tier: tokens in use die, the session lives on and gets tokens that know of it', async () => {
    const user = await setting.newUser()
    const { body } = await call('patch', `/${user.user_id}`)
      .send({ role: 'viewer', tier: 'premium' })
      .expect(200)
    expect(body).toMatchObject({ user_id: user.user_id, role: 'viewer', tier: 'premium', disabled_at: null })
    const revoked = await setting.admin(
      `select not_before from revocations where kind = 'user' and subject = $1`,
      [user.user_id],
    )
    expect(revoked).toHaveLength(1)
    const refreshed = await setting.refresh(user.refresh_token).expect(200)
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({ role: 'viewer', tier: 'premium' })
    expect(await auditOf(user.user_id)).toEqual([
      {
        ...{ action: 'user.update', actor: `user:${admin.user_id}`, outcome: 'success' },
        details: { role: 'viewer', tier: 'premium' },
      },
    ])
  })

  it('change nothing with what is so already: no token dies of it', async () => {
    const user = await setting.newUser()
    await call('patch', `/${user.user_id}`)
      .send({ role: 'user', tier: 'standard', disabled: false })
      .expect(200)
    expect(await setting.admin(`select 1 from revocations where subject = $1`, [user.user_id])).toEqual([])
    expect(await auditOf(user.user_id)).toEqual([])
  })

  it('disable a user: sessions end, no login, no refresh; and let it in again', async () => {
    const user = await setting.newUser()
    const { body } = await call('patch', `/${user.user_id}`).send({ disabled: true }).expect(200)
    expect(body.disabled_at).toEqual(expect.any(String))
    await me(user).expect(401)
    await setting.refresh(user.refresh_token).expect(401)
    await setting.logIn(user.username).expect(401)
    const sessions = await setting.admin(`select revoked_because from sessions where user_id = $1`, [
      user.user_id,
    ])
    expect(sessions).toEqual([{ revoked_because: 'disabled' }])
    expect(
      await setting.admin(`select 1 from revocations where subject = $1`, [claimsOf(user.access_token).sid]),
    ).toHaveLength(1)
    await call('patch', `/${user.user_id}`).send({ disabled: false }).expect(200)
    await setting.refresh(user.refresh_token).expect(401)
    await setting.logIn(user.username).expect(200)
  })

  it('change a user for good or not at all: no token with the old role is later than the change', async () => {
    const user = await setting.newUser()
    let ahead = 0
    const other = await setting.another({}, { now: () => Date.now() + ahead })
    await setting.admin('begin')
    await setting.admin('select 1 from audit_head for update')
    const change = supertest(other.app)
      .patch(`/auth/admin/users/${user.user_id}`)
      .set('Authorization', `Bearer ${admin.access_token}`)
      .send({ role: 'viewer' })
      .then((answer) => answer)
    await setting.waiting(1)
    // It is written and not yet committed, and that takes longer than anybody thought.
    ahead = 10_000
    const { body } = await supertest(other.app)
      .post('/auth/refresh')
      .send({ refresh_token: user.refresh_token })
      .expect(200)
    await setting.admin('commit')
    const { status } = await change
    const [row] = await setting.admin('select role from users where id = $1', [user.user_id])
    const [revoked] = await setting.admin(
      `select extract(epoch from max(not_before))::float8 as not_before from revocations where kind = 'user' and subject = $1`,
      [user.user_id],
    )
    const { role, iat } = claimsOf(body.access_token) as { role: string; iat: number }
    const isCovered = iat < Number(revoked?.not_before ?? 0)
    expect({ status, role: row?.role, isStale: role !== row?.role && !isCovered }).toEqual({
      ...{ status: 503, role: 'user', isStale: false },
    })
  })

  it('see who is locked, and unlock under both names', async () => {
    const user = await setting.newUser()
    const mail = `${user.username}@example.test`
    for (const name of [user.username, mail])
      for (let tried = 0; tried < 4; tried += 1) {
        await setting.admin('update login_locks set locked_until = null')
        await setting.logIn(name, 'wrong').expect(401)
      }
    const { body } = await call('get', `/${user.user_id}`).expect(200)
    expect(Date.parse(body.locked_until)).toBeGreaterThan(Date.now())
    const unlocked = await call('post', `/${user.user_id}/unlock`).expect(200)
    expect(unlocked.body.locked_until).toBeNull()
    await setting.logIn(user.username).expect(200)
    await setting.logIn(mail).expect(200)
    expect((await auditOf(user.user_id)).map(({ action }) => action)).toEqual(['user.unlock'])
  })

  it('end every session of a user', async () => {
    const user = await setting.newUser()
    const { body: other } = await setting.logIn(user.username).expect(200)
    const { body } = await call('delete', `/${user.user_id}/sessions`).expect(200)
    expect(body).toEqual({ revoked: 2 })
    await me(user).expect(401)
    await me(other).expect(401)
    await setting.logIn(user.username).expect(200)
  })

  it('are told when there is no such user', async () => {
    await call('get', '/nobody').expect(404)
    await call('patch', '/nobody').send({ role: 'viewer' }).expect(404)
    await call('post', '/nobody/unlock').expect(404)
    await call('delete', '/nobody/sessions').expect(404)
    await call('patch', `/${admin.user_id}`).send({ password_hash: 'x' }).expect(400)
  })

  it('are told that an id, a cursor and a filter with a NUL have the wrong form', async () => {
    await call('get', '/%00').expect(400)
    await call('get', '?cursor=%00').expect(400)
    for (const filter of ['subject', 'action'])
      await setting.http
        .get(`/auth/audit?${filter}=%00`)
        .set('Authorization', `Bearer ${admin.access_token}`)
        .expect(400)
  })
})

describe('an API key of an administrator', () => {
  it.each(['*', 'auth.admin'])(
    'administers nothing, also with %s: 403 at every such route',
    async (permission) => {
      const { body: key } = await setting.http
        .post('/auth/api-keys')
        .set('Authorization', `Bearer ${admin.access_token}`)
        .send({ name: 'powerful', permissions: [permission] })
        .expect(201)
      const routes = setting.service.routes.filter(({ auth }) => auth.permissions.includes('auth.admin'))
      expect(routes.map(({ path }) => path)).toEqual(
        expect.arrayContaining(['/auth/admin/users', '/auth/audit', '/auth/admin/keys']),
      )
      for (const { method, path } of routes) {
        const url = path.replace(/:\w+/g, 'x')
        const { body } = await setting.http[method.toLowerCase() as 'get'](url)
          .set('X-API-Key', key.api_key)
          .expect(403)
        expect(body.detail).toContain('API key')
      }
    },
  )
})

describe('the last administrator', () => {
  it.each([{ role: 'user' }, { disabled: true }, { role: 'viewer', disabled: true }])(
    'cannot be lost by %j',
    async (change) => {
      const { body } = await call('patch', `/${admin.user_id}`).send(change).expect(409)
      expect(body.code).toBe('conflict')
      await call('get', `/${admin.user_id}`).expect(200)
    },
  )

  it('may change the tier, and is not protected any more once there is another', async () => {
    const other = await setting.newAdmin()
    await call('patch', `/${other.user_id}`).send({ tier: 'free' }).expect(200)
    await call('patch', `/${other.user_id}`).send({ role: 'user' }).expect(200)
    await call('patch', `/${admin.user_id}`).send({ role: 'user' }).expect(409)
  })

  it('is one of two who demote each other at the same time', async () => {
    const other = await setting.newAdmin()
    const answers = await Promise.all([
      call('patch', `/${other.user_id}`, admin).send({ role: 'user' }),
      call('patch', `/${admin.user_id}`, other).send({ role: 'user' }),
    ])
    const [row] = await setting.admin(`select count(*)::int as left from users where role = 'admin'`)
    expect(row!.left).toBe(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    await setting.admin(`update users set role = 'admin' where id = $1`, [admin.user_id])
    await setting.admin(`delete from revocations where subject = $1`, [admin.user_id])
    admin = { ...admin, ...((await setting.logIn(admin.username, PASSWORD).expect(200)).body as Session) }
  })
})
