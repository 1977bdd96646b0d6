import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DATABASE_SERVICES,
  PortTakenError,
  startPostgres,
  startTestPostgres,
  type Postgres,
} from '../src/index.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.close())

async function as<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function withDatabase(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}

describe('a service and its database', () => {
  it('neither role of a service can connect to any database but its own', async () => {
    for (const service of DATABASE_SERVICES) {
      const others = ['postgres', 'template1', ...DATABASE_SERVICES.filter((other) => other !== service)]
      for (const url of [postgres.url(service), postgres.migrationUrl(service)]) {
        for (const other of others) {
          const attempt = as(withDatabase(url, other.replaceAll('-', '_')), () => Promise.resolve())
          await expect(attempt, `${service} to ${other}`).rejects.toMatchObject({ code: '42501' })
        }
      }
    }
  })

  it('no login role is superuser, bypasses row-level security, or may make roles or databases', async () => {
    const powerful = await as(postgres.adminUrl, (admin) =>
      admin.query(
        `SELECT rolname FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'
         AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)`,
      ),
    )
    expect(powerful.rows).toEqual([])
  })

  it('S inherits nothing of S_user and must turn into it; S_user cannot log in', async () => {
    await as(postgres.migrationUrl('data_store'), (owner) =>
      owner.query('CREATE TABLE note (id int); GRANT SELECT ON note TO data_store_user'),
    )
    await as(postgres.url('data_store'), async (service) => {
      await expect(service.query('SELECT * FROM note')).rejects.toMatchObject({ code: '42501' })
      await expect(service.query('SET ROLE data_store_owner')).rejects.toMatchObject({ code: '42501' })
      await service.query('SET ROLE data_store_user')
      expect((await service.query('SELECT * FROM note')).rows).toEqual([])
    })
    const { rows } = await as(postgres.adminUrl, (admin) =>
      admin.query(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'data_store_user'`),
    )
    expect(rows).toEqual([{ rolcanlogin: false }])
  })

  it('S sets claims and role in one statement; as S_user it cannot rewrite them', async () => {
    await as(postgres.url('auth-service'), async (service) => {
      await service.query('BEGIN')
      await service.query(
        `SELECT set_config('waybill.user_id', 'u1', true), set_config('role', 'auth_service_user', true)`,
      )
      const { rows } = await service.query(
        `SELECT current_user AS me, current_setting('waybill.user_id') AS claim`,
      )
      expect(rows).toEqual([{ me: 'auth_service_user', claim: 'u1' }])
      await expect(service.query(`SELECT set_config('waybill.user_id', 'u2', true)`)).rejects.toMatchObject({
        code: '42501',
      })
    })
  })

  it('only the owner may create in the schema', async () => {
    for (const role of ['work_platform', 'work_platform_user']) {
      await as(postgres.url('work-platform'), async (service) => {
        await service.query(`SET ROLE ${role}`)
        await expect(service.query('CREATE TABLE mine (id int)')).rejects.toMatchObject({ code: '42501' })
      })
    }
  })
})

describe('a cluster', () => {
  it('answers on 127.0.0.1 only, and never without the password', async () => {
    const wrong = new URL(postgres.adminUrl)
    wrong.password = 'postgres'
    await expect(as(wrong.href, () => Promise.resolve())).rejects.toMatchObject({ code: '28P01' })
    const { rows } = await as(postgres.adminUrl, (admin) =>
      admin.query(
        `SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'unix_socket_directories') ORDER BY 1`,
      ),
    )
    expect(rows.map(({ setting }: { setting: string }) => setting)).toEqual(['127.0.0.1', ''])
  })

  it('runs beside another that has only the database asked for', async () => {
    const [one, two] = await Promise.all([
      startTestPostgres('data_store'),
      startTestPostgres('substrate-api'),
    ])
    try {
      const databases = (url: string) =>
        as(url, async (admin) => {
          const { rows } = await admin.query<{ datname: string }>(
            'SELECT datname FROM pg_database ORDER BY 1',
          )
          return rows.map(({ datname }) => datname)
        })
      expect(await databases(one.adminUrl)).toEqual(['data_store', 'postgres', 'template0', 'template1'])
      expect(await databases(two.adminUrl)).toEqual(['postgres', 'substrate_api', 'template0', 'template1'])
    } finally {
      await Promise.all([one.close(), two.close()])
    }
  })

  it('says which port is taken', async () => {
    const error: unknown = await startPostgres({ port: postgres.port }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PortTakenError)
    expect(String(error)).toContain(`${postgres.port}`)
    expect(String(error)).toContain('POSTGRES_PORT')
  })

  it('keeps its data in a dataDir, takes new passwords, and refuses a second server there', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'waybill-data-'))
    chmodSync(parent, 0o755)
    const dataDir = join(parent, 'postgres')
    try {
      const first = await startPostgres({ dataDir, services: ['data_store'] })
      await as(first.migrationUrl('data_store'), (owner) => owner.query('CREATE TABLE kept (id int)'))
      await expect(startPostgres({ dataDir })).rejects.toThrow(/postmaster\.pid/)
      await first.close()
      const second = await startPostgres({ dataDir, services: ['data_store', 'work-platform'] })
      const { rows } = await as(second.migrationUrl('data_store'), (owner) =>
        owner.query('SELECT * FROM kept'),
      )
      expect(rows).toEqual([])
      await second.close()
      expect(existsSync(join(dataDir, 'PG_VERSION'))).toBe(true)
    } finally {
      rmSync(parent, { recursive: true, force: true })
    }
  })
})
