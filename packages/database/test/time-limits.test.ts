import net from 'node:net'
import { Secret } from '@waybill/service-kit'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Database } from '@waybill/database'
import { beginStatements } from '../src/claims.ts'
import { inRequest, startSetting, user } from './setting.ts'
import type { Notes, Setting } from './setting.ts'

let setting: Setting
let database: Database<Notes>
const alice = user('alice')
const timeout = { name: 'Problem', code: 'timeout' }

beforeAll(async () => {
  setting = await startSetting()
  database = setting.open({ DATABASE_POOL_SIZE: 1 })
  await database.start()
})
afterAll(() => setting.close())
afterEach(() => vi.restoreAllMocks())

const notes = () => database.withPrincipal(alice, (tx) => tx.selectFrom('notes').select('id').execute())

describe('a transaction ends with the deadline of its request', () => {
  test('although each of its statements is short enough', async () => {
    const slow = inRequest({ timeoutMs: 1_000 }, () =>
      database.withPrincipal(alice, async (tx) => {
        await tx.insertInto('notes').values({ owner: 'alice', id: 'late', body: '' }).execute()
        // One after the other, until Postgres has enough of them; without that, for ever.
        for (;;) await sql`select 1`.execute(tx)
      }),
    )
    await expect(slow).rejects.toMatchObject(timeout)
    expect(await notes()).toEqual([])
  })

  test('although it is the service that dawdles between two of them', async () => {
    const slow = inRequest({ timeoutMs: 500 }, () =>
      database.withPrincipal(alice, async (tx) => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
        const running = `select 1 from pg_stat_activity where pid = ${String(rows[0]!.pid)}`
        await vi.waitUntil(async () => (await setting.admin(running)).length === 0, { timeout: 10_000 })
        await sql`select 1`.execute(tx)
      }),
    )
    await expect(slow).rejects.toMatchObject(timeout)
    expect(await notes()).toEqual([])
  })

  test('and one whose work is done too late is not committed, whatever the server can do', async () => {
    const late = inRequest({ timeoutMs: 600 }, () =>
      database.withPrincipal(alice, async (tx) => {
        await sql`set local transaction_timeout = 0`.execute(tx)
        await tx.insertInto('notes').values({ owner: 'alice', id: 'late', body: '' }).execute()
        const now = Date.now()
        vi.spyOn(Date, 'now').mockReturnValue(now + 600)
      }),
    )
    await expect(late).rejects.toMatchObject(timeout)
    expect(await notes()).toEqual([])
  })

  test('counted from when the connection is had', async () => {
    const left = await database.withPrincipal(alice, async (first) => {
      const waiting = inRequest({ timeoutMs: 10_000 }, () =>
        database.withPrincipal(alice, (tx) =>
          sql<{
            ms: number
          }>`select setting::int as ms from pg_settings where name = 'transaction_timeout'`.execute(tx),
        ),
      )
      await sql`select 1`.execute(first)
      const now = Date.now()
      vi.spyOn(Date, 'now').mockReturnValue(now + 500)
      return { waiting }
    })
    const { rows } = await left.waiting
    expect(rows[0]!.ms).toBeGreaterThan(0)
    expect(rows[0]!.ms).toBeLessThanOrEqual(9_500)
  })

  test('a server older than PostgreSQL 17 is not told what it does not know', () => {
    const limits = { readOnly: false, statementTimeoutMs: 1, lockTimeoutMs: 1 }
    expect(beginStatements(limits)).not.toContain('transaction_timeout')
    expect(beginStatements({ ...limits, transactionTimeoutMs: 7 })).toContain('transaction_timeout = 7')
  })
})

describe('a server that vanishes without a word', () => {
  test('is given up in time, in a transaction and in the readiness check, and the pool recovers', async () => {
    const way = await startWay(Number(new URL(setting.databaseUrl).port))
    const url = new URL(setting.databaseUrl)
    url.port = String(way.port)
    const remote = setting.open({
      DATABASE_URL: new Secret(url.href),
      DATABASE_POOL_SIZE: 2,
      DATABASE_STATEMENT_TIMEOUT_MS: 100,
    })
    const asks = () => remote.withPrincipal(alice, (tx) => sql`select 1 as one`.execute(tx))
    try {
      await remote.start()
      await Promise.all([asks(), asks()])
      way.lose()
      const [asked, checked] = await Promise.allSettled([asks(), remote.check()])
      expect(asked).toMatchObject({ status: 'rejected', reason: timeout })
      expect(checked).toMatchObject({ status: 'rejected', reason: timeout })
      await Promise.all([asks(), asks()])
    } finally {
      await remote.close()
      await way.close()
    }
  })
})

/** A way to Postgres that can lose every connection that goes over it, with neither end being told. */
async function startWay(target: number) {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1')
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    lose() {
      for (const socket of sockets) socket.unpipe().resume()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
