import { startTestPostgres } from '@waybill/dev-env'
import type { Transaction } from '@waybill/database'
import type { UserPrincipal } from '@waybill/service-kit'
import { CompiledQuery, sql } from 'kysely'
import type { QueryExecutorProvider } from 'kysely'
import pg from 'pg'
import { median } from './compare.ts'
import { openDataStore } from './database.ts'

// What row-level security costs in Postgres, with the real migrations of data_store: a million records of a thousand users.
// And what withPrincipal, which sets the claims, costs over a plain transaction.

const USERS = 1_000
const EACH = 1_000
const ROUNDS = 400
/** A transaction is over in a tenth of a millisecond, and the code has to be warm. */
const TRANSACTIONS = 4_000

const postgres = await startTestPostgres('data_store')
const database = openDataStore(postgres)
const admin = new pg.Client({ connectionString: postgres.adminUrl })
const login = new pg.Client({ connectionString: postgres.databaseUrl })

const principalOf = (user: number): UserPrincipal => ({
  kind: 'user',
  userId: `user-${String(user)}`,
  role: 'user',
  permissions: ['memory.read'],
  actors: [],
  via: 'jwt',
})

const LIST = `select id, data, version, owner, created_at, updated_at from records
  where collection = 'notes' and OWNED order by id limit 20`
const COUNT = `select count(*) from records where collection = 'notes' and OWNED`
const EXPLICIT = `scope = 'user' and owner = $1`

interface Variant {
  name: string
  /** One turn, in milliseconds. */
  run: (user: number) => Promise<number>
}

/** One after the other, forwards and backwards, each time for another user. */
async function measure(variants: readonly Variant[], rounds = ROUNDS): Promise<Map<string, number[]>> {
  const times = new Map(variants.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round += 1) {
    const user = (round * 7) % USERS
    for (const { name, run } of round % 2 ? variants.toReversed() : variants) {
      const took = await run(user)
      if (round >= rounds / 20) times.get(name)?.push(took)
    }
  }
  return times
}

function report(title: string, times: Map<string, number[]>, wanted: string): void {
  const [first] = times.values()
  process.stdout.write(`${title}\n`)
  for (const [name, all] of times) {
    const ratio = median(all.map((took, round) => took / (first?.[round] ?? Number.NaN)))
    process.stdout.write(`  ${name.padEnd(52)} ${median(all).toFixed(3)} ms  ${ratio.toFixed(2)}\n`)
  }
  process.stdout.write(`  (${wanted})\n`)
}

/** The statement alone is timed: on each client a transaction with its claims is open already. */
function statement(
  client: pg.Client,
  name: string,
  text: string,
  prepare: (user: number) => Promise<void>,
): Variant {
  return {
    name,
    async run(user) {
      await prepare(user)
      const began = performance.now()
      await client.query({ name, text, values: text.includes('$1') ? [`user-${String(user)}`] : [] })
      const took = performance.now() - began
      await client.query('commit')
      return took
    },
  }
}

/** A whole transaction is timed. */
function transaction(name: string, run: (user: number) => Promise<unknown>): Variant {
  return {
    name,
    async run(user) {
      const began = performance.now()
      await run(user)
      return performance.now() - began
    },
  }
}

const plainTransaction = async (text: string, values: string[]): Promise<void> => {
  await admin.query('begin read only')
  await admin.query(text, values)
  await admin.query('commit')
}
const selectOne = (tx: QueryExecutorProvider): Promise<unknown> => sql`select 1`.execute(tx)
const ONE_RECORD = `select id, data, version, owner, created_at, updated_at from records
  where scope = 'user' and owner = $1 and collection = 'notes' and id = $2`
const idOf = (user: number): string => `r${String(USERS + user).padStart(8, '0')}`

try {
  await database.start()
  await Promise.all([admin.connect(), login.connect()])
  await admin.query(`
    insert into records (scope, owner, collection, id, data)
    select 'user', 'user-' || (n % ${String(USERS)}), 'notes', 'r' || lpad(n::text, 8, '0'),
      jsonb_build_object('title', 'note ' || n, 'stars', n % 5, 'done', n % 3 = 0)
    from generate_series(1, ${String(USERS * EACH)}) n`)
  await admin.query('vacuum analyze records')

  const plainly = async (): Promise<void> => {
    await admin.query('begin read only')
  }
  const withClaims = async (user: number): Promise<void> => {
    await login.query('begin read only')
    await login.query(
      `select set_config('waybill.user_id', $1, true), set_config('waybill.tenant_id', '', true),
        set_config('waybill.workspace_id', '', true), set_config('waybill.scope', 'user', true),
        set_config('role', 'data_store_user', true)`,
      [`user-${String(user)}`],
    )
  }
  for (const [what, text] of [
    ['list of 20', LIST],
    ['count', COUNT],
  ] as const) {
    const explicit = text.replace('OWNED', EXPLICIT)
    const times = await measure([
      statement(admin, `${what}, explicit owner, no row security`, explicit, plainly),
      statement(login, `${what}, row security as data_store asks`, explicit, withClaims),
      statement(login, `${what}, row security alone`, text.replace('OWNED', `scope = 'user'`), withClaims),
    ])
    report(`${what} at 1,000,000 rows`, times, 'at most 1.30 is wanted as data_store asks')
  }

  const readOnly = { readOnly: true }
  report(
    'a transaction that reads one record by its id',
    await measure(
      [
        transaction('begin, select, commit, explicit owner', (user) =>
          plainTransaction(ONE_RECORD, [`user-${String(user)}`, idOf(user)]),
        ),
        transaction('withPrincipal', (user) => {
          const values = [`user-${String(user)}`, idOf(user)]
          const read = (tx: Transaction<unknown>): Promise<unknown> =>
            tx.executeQuery(CompiledQuery.raw(ONE_RECORD, values))
          return database.withPrincipal(principalOf(user), read, readOnly)
        }),
      ],
      TRANSACTIONS,
    ),
    'at most 1.60 is wanted',
  )
  // The cheapest statement there is: nothing hides what is around it.
  report(
    'a transaction with select 1',
    await measure(
      [
        transaction('begin, select 1, commit', () => plainTransaction('select 1', [])),
        transaction('withoutPrincipal: time-outs', () => database.withoutPrincipal(selectOne, readOnly)),
        transaction('withPrincipal: and claims, and the role', (user) =>
          database.withPrincipal(principalOf(user), selectOne, readOnly),
        ),
      ],
      TRANSACTIONS,
    ),
    'nothing is wanted here',
  )
} finally {
  await Promise.allSettled([admin.end(), login.end(), database.close()])
  await postgres.close()
}
