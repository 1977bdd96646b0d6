import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { authService } from '@waybill/contracts'
import { openDatabase } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema } from '../src/config.ts'
import { createRevocations } from '../src/revocations/revocations.ts'
import type { Schema } from '../src/store/schema.ts'
import { basic, claimsOf, environmentOn, secretOf, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

type Page = authService.RevocationPage

const NEVER = new AbortController().signal

/** The domain alone, as one instance has it, on a database of its own. */
async function startInstance(postgres: TestPostgres, now: () => number) {
  const config = loadConfig(configSchema, environmentOn(postgres))
  const log = createLogger({ service: 'auth-service', level: 'silent' })
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Schema>({ config, migrations, log, service: 'auth-service' })
  await database.start()
  const revocations = createRevocations({ database, log, lifetimeSeconds: 100, skewSeconds: 30, now })
  const stopping = new AbortController()
  await revocations.start(stopping.signal)
  return {
    revocations,
    stopping,
    record: (kind: Exclude<authService.Revocation['kind'], 'user'>, id: string) =>
      database.withoutPrincipal((tx) => revocations.record(tx, kind, id)),
    recordUser: (id: string) => database.withoutPrincipal((tx) => revocations.recordUser(tx, id)),
    database,
    async close() {
      stopping.abort()
      await revocations.close()
      await database.close()
    },
  }
}

describe('the feed of revocations', () => {
  let postgres: TestPostgres
  let here: Awaited<ReturnType<typeof startInstance>>
  let there: Awaited<ReturnType<typeof startInstance>>
  let ahead = 0
  let standing: number | undefined
  const now = () => standing ?? Date.now() + ahead
  beforeAll(async () => {
    postgres = await startTestPostgres('auth-service')
    here = await startInstance(postgres, now)
    there = await startInstance(postgres, now)
  })
  afterAll(async () => {
    await here.close()
    await there.close()
    await postgres.close()
  })

  const after = (cursor: string | undefined, wait = 0, signal = NEVER): Promise<Page> =>
    here.revocations.after(cursor, wait, signal)

  it('tells everything in force to who has no cursor, and only what is new to who has', async () => {
    await here.record('session', 's1')
    const first = await after(undefined)
    expect(first.revocations).toEqual([{ kind: 'session', id: 's1', expires_at: expect.any(Number) }])
    await here.record('token', 't1')
    const second = await after(first.cursor)
    expect(second.revocations.map(({ id }) => id)).toEqual(['t1'])
    expect(await after(second.cursor)).toEqual({ cursor: second.cursor, revocations: [] })
  })

  it('wakes who waits at the commit, and not at the writing before it', async () => {
    const { cursor } = await after(undefined)
    let committed = false
    const waiting = after(cursor, 20).then((page) => ({ page, committed }))
    await here.database.withoutPrincipal(async (tx) => {
      await here.revocations.record(tx, 'session', 's2')
      // Long enough for a look that does not wait for the commit to see nothing and go back to sleep.
      await there.database.check()
      committed = true
    })
    const { page, committed: wasCommitted } = await waiting
    expect(wasCommitted).toBe(true)
    expect(page.revocations.map(({ id }) => id)).toEqual(['s2'])
  })

  it('wakes who waits at another instance', async () => {
    const { cursor } = await after(undefined)
    const waiting = there.revocations.after(cursor, 20, NEVER)
    await here.record('api_key', 'k1')
    expect((await waiting).revocations.map(({ kind, id }) => `${kind} ${id}`)).toEqual(['api_key k1'])
  })

  it('skips nothing that is written by many at the same time', async () => {
    const { cursor } = await after(undefined)
    const ids = Array.from({ length: 40 }, (_, at) => `many-${at}`)
    const seen: string[] = []
    const follow = async (): Promise<void> => {
      for (let at = cursor; seen.length < ids.length;) {
        const page = await after(at, 20)
        seen.push(...page.revocations.map(({ id }) => id))
        at = page.cursor
      }
    }
    const following = follow()
    await Promise.all(ids.map((id, at) => (at % 2 === 0 ? here : there).record('session', id)))
    await following
    expect(seen.toSorted()).toEqual(ids.toSorted())
  })

  it('says nothing of what is rolled back', async () => {
    const { cursor } = await after(undefined)
    await expect(
      here.database.withoutPrincipal(async (tx) => {
        await here.revocations.record(tx, 'session', 'never')
        throw new Error('rolled back')
      }),
    ).rejects.toThrow('rolled back')
    expect(await after(cursor)).toEqual({ cursor, revocations: [] })
  })

  it('gives a user a moment, at which it is later than anything issued until now', async () => {
    const { cursor } = await after(undefined)
    await here.recordUser('u1')
    const [revocation] = (await after(cursor)).revocations
    expect(revocation?.not_before).toBeGreaterThan(Date.now() / 1000)
    expect(revocation?.not_before).toBeLessThan(Date.now() / 1000 + 5)
  })

  it('gives a user a later moment each time, and never one that is too far ahead to issue tokens from', async () => {
    const { cursor } = await after(undefined)
    standing = Date.now()
    try {
      const refusal = await (async () => {
        for (let times = 0; times < 30; times += 1) await here.recordUser('often')
      })().catch((error: unknown) => error)
      expect(refusal).toMatchObject({ code: 'unavailable', headers: { 'Retry-After': '1' } })
      const moments = (await after(cursor)).revocations.map(({ not_before: moment }) => moment!)
      expect(moments.length).toBeGreaterThan(10)
      expect(moments).toEqual(moments.map((_, at) => moments[0]! + at))
      expect(moments.at(-1)).toBeLessThanOrEqual(standing / 1000 + 16)
      await here.recordUser('somebody else')
      standing += 1_000
      await here.recordUser('often')
    } finally {
      standing = undefined
    }
  })

  it('answers empty when the time is up, and gives up with who has gone away', async () => {
    const { cursor } = await after(undefined)
    expect(await after(cursor, 0.05)).toEqual({ cursor, revocations: [] })
    const gone = new AbortController()
    const waiting = after(cursor, 20, gone.signal)
    gone.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
  })

  it('begins anew for a cursor that is from another database', async () => {
    const page = await after('999999999999')
    expect(page.revocations.length).toBeGreaterThan(1)
    expect(page.cursor).toBe((await after(undefined)).cursor)
  })

  it('leaves out what has expired, and the cursor goes on', async () => {
    const { cursor } = await after(undefined)
    ahead = 200_000
    try {
      expect(await after(undefined)).toEqual({ cursor, revocations: [] })
      await here.record('session', 'later')
      expect((await after(cursor)).revocations.map(({ id }) => id)).toEqual(['later'])
    } finally {
      ahead = 0
    }
  })

  it('lets all who wait go when the instance ends', async () => {
    const { cursor } = await after(undefined)
    const waiting = Promise.all([after(cursor, 20), after(cursor, 20)])
    here.stopping.abort()
    expect(await waiting).toEqual(Array(2).fill({ cursor, revocations: [] }))
  })
})

describe('GET /oauth/revocations', () => {
  let setting: Setting
  beforeAll(async () => {
    setting = await startSetting({ REVOCATION_FOLLOWERS_PER_SERVICE: '2' })
  })
  afterAll(() => setting.close())

  const feed = (query = '', client = 'docling', service: Service = setting.service) =>
    supertest(service.app)
      .get(`/oauth/revocations${query}`)
      .set('Authorization', basic(client, secretOf(client)))

  it('is for services that authenticate', async () => {
    const { body } = await setting.http.get('/oauth/revocations').expect(401)
    expect(body.error).toBe('invalid_client')
    await feed('', 'nobody').expect(401)
    const user = await setting.newUser()
    await setting.http
      .get('/oauth/revocations')
      .set('Authorization', `Bearer ${user.access_token}`)
      .expect(401)
  })

  it('tells of a logout to a service that waits at another instance', async () => {
    const other = await setting.another()
    const user = await setting.newUser()
    const { cursor } = (await feed().expect(200)).body as Page
    const waiting = feed(`?after=${cursor}&wait=20`, 'docling', other)
    const answer = waiting.then(({ body }) => body as Page)
    await setting.logOut(user.access_token).expect(204)
    expect((await answer).revocations).toMatchObject([
      { kind: 'session', id: claimsOf(user.access_token).sid },
    ])
  })

  it.each(['?wait=26', '?wait=-1', '?after=x', '?after=-1', '?since=1'])('%s is refused', async (query) => {
    const { body } = await feed(query).expect(400)
    expect(body.error).toBe('invalid_request')
  })

  it('waits no longer than the caller says that it does', async () => {
    const { cursor } = (await feed().expect(200)).body as Page
    const { body } = await feed(`?after=${cursor}&wait=20`).set('X-Request-Timeout-Ms', '2100').expect(200)
    expect(body).toEqual({ cursor, revocations: [] })
  })

  describe('with as many requests of a service waiting as may', () => {
    const headers = { Authorization: basic('docling', secretOf('docling')) }

    async function startWaiting() {
      const service = await setting.another({ SHUTDOWN_TIMEOUT_MS: '600000' })
      const { url } = await service.listen({ port: 0 })
      const { cursor } = (await feed().expect(200)).body as Page
      const ask = (wait: number) => {
        const asked = request(`${url}/oauth/revocations?after=${cursor}&wait=${wait}`, { headers })
        asked.on('error', () => undefined).end()
        return asked
      }
      const statusOf = async (asked: ReturnType<typeof ask>): Promise<number | undefined> => {
        const [answer] = (await once(asked, 'response')) as [IncomingMessage]
        answer.resume()
        return answer.statusCode
      }
      const until = async (status: number): Promise<void> => {
        while ((await statusOf(ask(0))) !== status);
      }
      const waiting = [ask(20), ask(20)]
      await until(429)
      return { service, waiting, statusOf, until }
    }

    it('further ones are refused, others are not, and whoever has gone away leaves room', async () => {
      const { service, waiting, until } = await startWaiting()
      await feed('', 'gateway', service).expect(200)
      for (const one of waiting) one.destroy()
      await until(200)
    })

    it('the service closes at once, and they are answered', async () => {
      const { service, waiting, statusOf } = await startWaiting()
      const answers = Promise.all(waiting.map(statusOf))
      await service.close()
      expect(await answers).toEqual([200, 200])
    })
  })
})
