import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { authService } from '@waybill/contracts'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditHash, canonicalJson } from '../src/audit/audit-chain.ts'
import { startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

let setting: Setting
let admin: Session & { username: string }
let url: string
beforeAll(async () => {
  setting = await startSetting()
  admin = await setting.newAdmin()
  url = (await setting.service.listen({ port: 0 })).url
})
afterAll(() => setting.close())

const read = (query = '', who: Pick<Session, 'access_token'> = admin) =>
  setting.http.get(`/auth/audit${query}`).set('Authorization', `Bearer ${who.access_token}`)
const page = async (query = '') => authService.auditPage.parse((await read(query).expect(200)).body)

describe('the audit', () => {
  it('is for administrators only', async () => {
    await read('', await setting.newUser()).expect(403)
    await setting.http.get('/auth/audit').expect(401)
  })

  it('is a chain from its first row, without gaps, that anybody can recompute from what is answered', async () => {
    await Promise.all(Array.from({ length: 5 }, () => setting.newUser()))
    await setting.logIn('nobody', 'wrong').expect(401)
    const { rows, head } = await page('?after=0&limit=1000')
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1))
    rows.forEach((row, at) => {
      expect(row.previous_hash).toBe(rows[at - 1]?.hash ?? '0'.repeat(64))
      expect(row.hash).toBe(auditHash(row))
    })
    expect(rows.at(-1)).toMatchObject(head)
  })

  it('of transactions that roll back has neither rows nor gaps', async () => {
    const before = (await page()).head
    await setting.http
      .post('/auth/register')
      .send({ username: admin.username, email: 'taken@example.test', password: 'does not matter at all' })
      .expect(409)
    expect((await page()).head).toEqual(before)
  })

  it('can be read the newest first, on from a row, and by action, outcome and subject', async () => {
    const user = await setting.newUser()
    const newest = await page('?limit=2')
    expect(newest.rows.map(({ action }) => action)).toEqual(['user.register', 'session.login'])
    expect((await page(`?after=${newest.rows[0]!.seq}`)).rows).toEqual([newest.rows[1]])
    const own = await page(`?subject=user:${user.user_id}&action=session.login&outcome=success`)
    expect(own.rows).toEqual([newest.rows[1]])
    await read('?limit=1001').expect(400)
    await read('?after=-1').expect(400)
  })

  it('keeps what people write as it is: hashes of odd text agree on both sides', async () => {
    const details = {
      'quote " and \\': 'tab\t newline\n bell\u0007 delete\u007f',
      astral: '\u{1f600} \u2028 é e\u0301 \ufb01',
      'z\u00e9': null,
      '': [],
      nested: { b: [1, -2.5, 0, 1e21, 1e-7, 1.5e-9, 123456789012], a: { 2: true, 10: false } },
      '\uffff': 1,
      '\u{10000}': 2,
    }
    await setting.admin(
      `insert into audit (actor, on_behalf_of, actors, via, action, resource, outcome, details)
       values ('service:a', 'user:b', '{a,"b c"}', 'jwt', 'test.odd', $1, 'intent', $2)`,
      ['r/"é\\\u0001', JSON.stringify(details)],
    )
    const { rows } = await page('?limit=1')
    expect(rows[0]!.details).toEqual(details)
    expect(rows[0]!.hash).toBe(auditHash(rows[0]!))
  })
})

it.each([
  [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
  [
    [1e21, 1.25e22, 1e-7, -1.5e-10, 0.1],
    '[1000000000000000000000,12500000000000000000000,0.0000001,-0.00000000015,0.1]',
  ],
  [{ '\u{10000}': 1, '\uffff': 2, a: 3 }, '{"a":3,"\uffff":2,"\u{10000}":1}'],
])('canonical JSON of %j', (value, text) => {
  expect(canonicalJson(value)).toBe(text)
})

describe('nobody', () => {
  it.each(['update audit set actor = actor', 'delete from audit', 'truncate audit'])(
    'may "%s": not the service, not a request, and not the owner by mistake',
    async (statement) => {
      const owner = new pg.Client({ connectionString: setting.environment.DATABASE_MIGRATION_URL })
      const login = new pg.Client({ connectionString: setting.environment.DATABASE_URL })
      await Promise.all([owner.connect(), login.connect()])
      try {
        await expect(owner.query(statement)).rejects.toMatchObject({ code: '42501' })
        await expect(login.query(statement)).rejects.toMatchObject({ code: '42501' })
        await login.query('set role auth_service_user')
        await expect(login.query(statement)).rejects.toMatchObject({ code: '42501' })
      } finally {
        await Promise.all([owner.end(), login.end()])
      }
    },
  )

  it('may move the head, choose a hash, or leave out the actor', async () => {
    const login = new pg.Client({ connectionString: setting.environment.DATABASE_URL })
    await login.connect()
    try {
      await expect(login.query('update audit_head set seq = 0')).rejects.toMatchObject({ code: '42501' })
      const insert = `insert into audit (actor, action, resource, outcome, seq, previous_hash, hash) values`
      await expect(login.query(`${insert} (null, 'x', 'x', 'success', 1, 'x', 'x')`)).rejects.toMatchObject({
        code: '23502',
      })
      await login.query(`${insert} ('service:x', 'x', 'x', 'success', 1, 'x', 'x')`)
    } finally {
      await login.end()
    }
    const [row] = (await page('?limit=1')).rows
    expect(row).toMatchObject({ action: 'x', hash: auditHash(row!) })
    expect(row!.seq).toBeGreaterThan(1)
  })
})

describe('the migration', () => {
  it('chains the rows that were there before it', async () => {
    const text = await readFile(new URL('../migrations/0010_audit_chain.sql', import.meta.url), 'utf8')
    const owner = new pg.Client({ connectionString: setting.environment.DATABASE_MIGRATION_URL })
    await owner.connect()
    try {
      await owner.query('begin')
      await owner.query(`create schema before; set local search_path to before`)
      await owner.query(
        await readFile(
          new URL('../../../packages/database/migrations/0001_audit.sql', import.meta.url),
          'utf8',
        ).then(withRoles),
      )
      await owner.query('alter table audit no force row level security')
      await owner.query(
        `insert into audit (actor, action, resource, outcome) select 'service:old', 'a', n::text, 'success' from generate_series(1, 3) n`,
      )
      await owner.query(withRoles(text))
      const { rows } = await owner.query<{ chained: boolean }>(
        `select a.hash = audit_hash(a) and a.previous_hash = coalesce(lag(a.hash) over (order by seq), repeat('0', 64)) as chained
         from audit a order by seq`,
      )
      // FORCE binds the owner again, who has no policy.
      expect(rows).toEqual([])
      await owner.query('alter table audit no force row level security')
      const again = await owner.query<{ chained: boolean }>(
        `select a.hash = audit_hash(a) and a.previous_hash = coalesce(lag(a.hash) over (order by seq), repeat('0', 64)) as chained
         from audit a order by seq`,
      )
      expect(again.rows).toEqual([{ chained: true }, { chained: true }, { chained: true }])
    } finally {
      await owner.query('rollback')
      await owner.end()
    }
  })
})

describe('npm run audit:verify', () => {
  const COMMAND = fileURLToPath(new URL('../src/bin/audit-verify.ts', import.meta.url))
  const run = promisify(execFile)
  const verify = async (args: string[] = [], environment: Record<string, string> = {}) => {
    const credentials = {
      WAYBILL_ADMIN_USERNAME: admin.username,
      WAYBILL_ADMIN_PASSWORD: 'correct horse battery staple',
    }
    const env = { ...process.env, ...credentials, ...environment }
    return run(process.execPath, [COMMAND, '--url', url, ...args], { env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: unknown) => error as { code: number; stdout: string; stderr: string },
    )
  }
  /** As who holds the database itself: the triggers do not run. */
  const tamper = async (statement: string) => {
    await setting.admin(`set session_replication_role = replica`)
    await setting.admin(statement)
    await setting.admin(`set session_replication_role = default`)
  }
  const rowAt = async (seq: number) => (await page(`?after=${seq - 1}&limit=1`)).rows[0]!

  it('says that the chain is whole, and where it ends', async () => {
    const { code, stdout } = await verify()
    expect(code).toBe(0)
    const { rows } = await page('?after=0&limit=1000')
    const [, seq, hash] = /^The audit is whole\. Head: (\d+):([0-9a-f]{64})$/m.exec(stdout)!
    expect(rows.find((row) => row.seq === Number(seq))!.hash).toBe(hash)
    expect(await verify(['--head', `${seq}:${hash}`])).toMatchObject({ code: 0 })
  })

  it('takes a token from a file instead of a password', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'audit-'))
    const file = join(folder, 'token')
    await writeFile(file, `${admin.access_token}\n`)
    try {
      expect(await verify(['--token-file', file], { WAYBILL_ADMIN_PASSWORD: '' })).toMatchObject({ code: 0 })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it.each([
    [
      'a changed row',
      `update audit set outcome = 'success' where seq = 3`,
      `update audit set outcome = '%' where seq = 3`,
    ],
    [
      'a changed time',
      `update audit set at = at + interval '1 microsecond' where seq = 3`,
      `update audit set at = at - interval '1 microsecond' where seq = 3`,
    ],
  ])('finds %s and names it', async (_, statement, repair) => {
    const { outcome } = await rowAt(3)
    const changed = outcome === 'success' ? statement.replace(`'success'`, `'failure'`) : statement
    await tamper(changed)
    const { code, stderr } = await verify()
    await tamper(repair.replace('%', outcome))
    expect(code).toBe(1)
    expect(stderr).toBe('The audit is broken: row 3 is not what it was when it was written.\n')
    expect(await verify()).toMatchObject({ code: 0 })
  })

  it('finds a row that was changed together with its hash: the next one does not follow', async () => {
    const before = await rowAt(3)
    await tamper(`update audit set resource = 'forged' where seq = 3`)
    await tamper(`update audit a set hash = audit_hash(a) where seq = 3`)
    const { code, stderr } = await verify()
    await tamper(`update audit set resource = '${before.resource}', hash = '${before.hash}' where seq = 3`)
    expect(code).toBe(1)
    expect(stderr).toContain('row 4 does not follow from row 3')
  })

  it('finds a row that was taken out, in the middle and at the end', async () => {
    await tamper('create table taken as select * from audit where seq = 3')
    await tamper('delete from audit where seq = 3')
    const middle = await verify()
    await tamper('insert into audit overriding system value select * from taken')
    expect(middle).toMatchObject({
      code: 1,
      stderr: 'The audit is broken: row 3 is missing: row 4 comes next.\n',
    })

    const folder = await mkdtemp(join(tmpdir(), 'audit-'))
    const file = join(folder, 'token')
    await writeFile(file, admin.access_token)
    const { head } = await page()
    const last = await rowAt(head.seq)
    // Whoever holds the database may move the head too; who has noted it finds out.
    await tamper(`delete from audit where seq = ${head.seq}`)
    const end = await verify(['--token-file', file])
    await tamper(`update audit_head set seq = ${head.seq - 1}, hash = '${last.previous_hash}'`)
    const moved = await verify(['--token-file', file])
    const noted = await verify(['--token-file', file, '--head', `${head.seq}:${head.hash}`])
    await rm(folder, { recursive: true })
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining(`row ${head.seq} is missing`) })
    expect(moved.code).toBe(0)
    expect(noted).toMatchObject({ code: 1, stderr: expect.stringContaining(`row ${head.seq} is missing`) })
  })

  it('that cannot read the audit ends with 2 and says why, without the password', async () => {
    const wrong = await verify([], { WAYBILL_ADMIN_PASSWORD: 'wr0ng-canary' })
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).not.toContain('wr0ng-canary')
    const without = await verify([], { WAYBILL_ADMIN_PASSWORD: '' })
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage:') })
    expect(await verify(['--head', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--head'),
    })
    const user = await setting.newUser()
    expect(await verify([], { WAYBILL_ADMIN_USERNAME: user.username })).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('403') },
    })
  })
})

function withRoles(text: string): string {
  return text.replaceAll(':"login_role"', 'auth_service').replaceAll(':"user_role"', 'auth_service_user')
}
