import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, EXCHANGE, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

/** Lets the time in which the same successor is given out pass. */
async function afterTheGrace(userId: string): Promise<void> {
  await setting.admin(
    `update sessions set rotated_at = rotated_at - interval '11 seconds' where user_id = $1`,
    [userId],
  )
}

async function reasonOfEnd(userId: string): Promise<unknown> {
  const [row] = await setting.admin('select revoked_because from sessions where user_id = $1', [userId])
  return row?.revoked_because
}

describe('refreshing', () => {
  it('answers as login does, with the next refresh token, and the old one is spent', async () => {
    const first = await setting.newUser()
    const { body: second } = await setting.refresh(first.refresh_token).expect(200)
    expect(second).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      refresh_token: expect.stringMatching(/^rt_/),
      token_type: 'bearer',
      expires_in: 86_400,
      user_id: first.user_id,
      username: first.username,
      role: 'user',
    })
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(claimsOf(second.access_token).sid).toBe(claimsOf(first.access_token).sid)
    await setting.refresh(second.refresh_token).expect(200)
  })

  it('sees a role that has changed since', async () => {
    const { refresh_token, user_id } = await setting.newUser()
    await setting.admin(`update users set role = 'viewer' where id = $1`, [user_id])
    const { body } = await setting.refresh(refresh_token).expect(200)
    expect(body.role).toBe('viewer')
    expect(claimsOf(body.access_token).scope).toBe('tasks.read memory.read')
  })

  it('twenty at once get one and the same successor, and nobody is logged out (supabase/auth-js #213)', async () => {
    const { refresh_token, user_id } = await setting.newUser()
    const answers = await Promise.all(Array.from({ length: 20 }, () => setting.refresh(refresh_token)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const successors = new Set(answers.map(({ body }) => body.refresh_token as string))
    expect(successors.size).toBe(1)
    await setting.refresh([...successors][0]!).expect(200)
    expect(await reasonOfEnd(user_id)).toBeNull()
  })

  it('an answer that got lost can be asked for again within the grace (crash between consume and answer)', async () => {
    const { refresh_token } = await setting.newUser()
    const { body: lost } = await setting.refresh(refresh_token).expect(200)
    const { body: again } = await setting.refresh(refresh_token).expect(200)
    expect(again.refresh_token).toBe(lost.refresh_token)
  })

  it('a token used again after the grace ends the session: the newest token and the access token too', async () => {
    const { refresh_token, user_id } = await setting.newUser()
    const { body: newest } = await setting.refresh(refresh_token).expect(200)
    await afterTheGrace(user_id)
    const { body } = await setting.refresh(refresh_token).expect(401)
    expect(body.code).toBe('invalid_token')
    expect(await reasonOfEnd(user_id)).toBe('refresh_reuse')
    await setting.refresh(newest.refresh_token).expect(401)
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${newest.access_token}`).expect(401)
    await setting.exchange('gateway', 'docling', newest.access_token).expect(400)
    const audit = await setting.admin(
      `select actor, outcome, details from audit where action = 'session.refresh_reuse' and details->>'user' = $1`,
      [user_id],
    )
    expect(audit).toEqual([{ actor: 'anonymous', outcome: 'denied', details: { user: user_id } }])
  })

  it('a token two generations old ends the session even within the grace', async () => {
    const { refresh_token, user_id } = await setting.newUser()
    const { body: second } = await setting.refresh(refresh_token).expect(200)
    const { body: third } = await setting.refresh(second.refresh_token).expect(200)
    await setting.refresh(refresh_token).expect(401)
    expect(await reasonOfEnd(user_id)).toBe('refresh_reuse')
    await setting.refresh(third.refresh_token).expect(401)
  })

  it('a token that was made up ends nobody’s session, whoever knows its id', async () => {
    const { refresh_token, access_token, user_id } = await setting.newUser()
    const sid = claimsOf(access_token).sid as string
    const changed = refresh_token.slice(0, -1) + (refresh_token.endsWith('A') ? 'E' : 'A')
    const madeUp = `rt_${sid}_${'A'.repeat(65)}`
    for (const token of [
      changed,
      madeUp,
      `${refresh_token}=`,
      ` ${refresh_token}`,
      access_token,
      'rt_',
      sid,
    ]) {
      await setting.refresh(token).expect(401)
    }
    expect(await reasonOfEnd(user_id)).toBeNull()
    await setting.refresh(refresh_token).expect(200)
  })

  it('the database holds no refresh token in clear, and another instance knows them all the same', async () => {
    const { refresh_token } = await setting.newUser()
    const rows = await setting.admin('select s::text as row from sessions s')
    const secret = refresh_token.split('_')[2]!
    expect(JSON.stringify(rows)).not.toContain(secret.slice(0, 16))
    expect(JSON.stringify(rows)).not.toContain(Buffer.from(secret, 'base64url').toString('hex').slice(0, 24))
    const other = await setting.another()
    await supertest(other.app).post('/auth/refresh').send({ refresh_token }).expect(200)
  })

  it.each([
    {},
    { refresh_token: '' },
    { refresh_token: 1 },
    { refresh_token: 'x'.repeat(8193) },
    { refresh_token: 'rt_x', role: 'admin' },
  ])('the body %#, which has another form, is refused', async (body) => {
    await setting.http.post('/auth/refresh').send(body).expect(400)
  })
})

describe('logging out', () => {
  it('ends the session everywhere that auth-service decides: me, refresh, exchange', async () => {
    const { access_token, refresh_token, user_id } = await setting.newUser()
    await setting.exchange('gateway', 'docling', access_token).expect(200)
    await setting.logOut(access_token).expect(204)
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${access_token}`).expect(401)
    await setting.logOut(access_token).expect(401)
    await setting.refresh(refresh_token).expect(401)
    const refused = await setting.exchange('gateway', 'docling', access_token).expect(400)
    expect(refused.body.error).toBe('invalid_grant')
    expect(await reasonOfEnd(user_id)).toBe('logout')
  })

  it('leaves the other sessions of the user alone', async () => {
    const { access_token, username } = await setting.newUser()
    const { body: other } = await setting.logIn(username).expect(200)
    await setting.logOut(access_token).expect(204)
    await setting.refresh(other.refresh_token).expect(200)
  })

  it('racing refreshes never comes back to life', async () => {
    const { access_token, refresh_token } = await setting.newUser()
    const refreshes = Array.from({ length: 10 }, () => setting.refresh(refresh_token))
    const [logout, ...answers] = await Promise.all([setting.logOut(access_token), ...refreshes])
    expect(logout.status).toBe(204)
    for (const { status, body } of answers) {
      expect([200, 401]).toContain(status)
      if (status === 200) await setting.refresh(body.refresh_token).expect(401)
    }
  })

  it('through the gateway is audited as the gateway, on behalf of the user', async () => {
    const { access_token, user_id } = await setting.newUser()
    const { body } = await setting.exchange('gateway', 'auth-service', access_token).expect(200)
    await setting
      .logOut(body.access_token)
      .set('X-User-ID', user_id)
      .set('X-Service-Name', 'gateway')
      .expect(204)
    const audit = await setting.admin(
      `select actor, on_behalf_of, outcome from audit where action = 'session.logout' order by id desc limit 1`,
    )
    expect(audit).toEqual([{ actor: 'service:gateway', on_behalf_of: `user:${user_id}`, outcome: 'success' }])
  })
})

describe('the audit', () => {
  it('has a row with an actor for everything that happened to a user', async () => {
    const { access_token, user_id } = await setting.newUser()
    await setting.logOut(access_token).expect(204)
    const rows = await setting.admin(
      'select action, outcome, request_id from audit where actor = $1 order by id',
      [`user:${user_id}`],
    )
    expect(rows).toEqual(
      ['user.register', 'session.login', 'session.logout'].map((action) => ({
        action,
        outcome: 'success',
        request_id: expect.any(String),
      })),
    )
  })

  it('says why a service was denied a token', async () => {
    const { access_token } = await setting.newUser()
    await setting.token('gateway', {
      ...{ grant_type: EXCHANGE, audience: 'substrate-api', subject_token: access_token },
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
    const [row] = await setting.admin(
      `select actor, resource, outcome, details from audit where action = 'token.exchange' order by id desc limit 1`,
    )
    expect(row).toEqual({
      actor: 'service:gateway',
      resource: 'audience/substrate-api',
      outcome: 'denied',
      details: { error: 'invalid_target', reason: expect.any(String) },
    })
  })
})
