import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signAccessToken } from '@waybill/auth'
import { startTestPostgres, startTestSupabase } from '@waybill/dev-env'
import pg from 'pg'
import { compare, ratio, table } from './compare.ts'
import { openDataStore } from './database.ts'

// The HTTP API of data_store beside a real PostgREST: the same PostgreSQL, the same records, an index that fits each, a token of the
// same kind, row-level security in both. data_store also writes its audit, its log and its spans.

const USERS = 100
const EACH = 1_000
const USER = 'user-7'

/** Takes spans and forgets them: they are made, serialised and sent, as in production. */
const sink = createServer((req, res) => {
  req.resume().once('end', () => res.end('{}'))
})
await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
const { port } = sink.address() as AddressInfo // it listens on a port, not on a pipe
const postgres = await startTestPostgres('data_store')
const supabase = await startTestSupabase({
  adminUrl: postgres.adminUrl,
  collections: [{ table: 'notes', scope: 'user' }],
})

const records = `select 'user-' || (n % ${String(USERS)}), 'r' || lpad(n::text, 8, '0'),
  jsonb_build_object('title', 'note ' || n, 'body', repeat('words of a note ', 10), 'stars', n % 7, 'done', n % 3 = 0)
  from generate_series(1, ${String(USERS * EACH)}) n`

async function fill(url: string, statements: readonly string[]): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  for (const statement of statements) await admin.query(statement)
  await admin.end()
}

async function migrate(): Promise<void> {
  const database = openDataStore(postgres)
  await database.start()
  await database.close()
}

const starred = encodeURIComponent(JSON.stringify({ field: 'data.stars', op: 'eq', value: 3 }))
const WAYS = [
  {
    title: 'one record by its id',
    dataStore: '/v1/postgres/collections/notes/records/r00000007',
    postgrest: '/notes?select=id,data,version,owner,created_at,updated_at&id=eq.r00000007',
  },
  {
    title: 'the first 20 of 143 with three stars, by id',
    dataStore: `/v1/postgres/collections/notes/records?limit=20&filter=${starred}`,
    postgrest: '/notes?select=id,data,version,owner,created_at,updated_at&data->stars=eq.3&order=id&limit=20',
  },
]

try {
  await migrate()
  await fill(postgres.adminUrl, [
    `insert into records (scope, collection, owner, id, data) select 'user', 'notes', * from (${records}) as made`,
    'vacuum analyze records',
  ])
  await fill(supabase.adminUrl, [`insert into notes (owner, id, data) ${records}`, 'vacuum analyze notes'])
  const { token } = await signAccessToken(supabase.signingKey, {
    claims: {
      ...{ iss: 'https://waybill.local', aud: supabase.audience, sub: USER, client_id: 'bench' },
      ...{ principal: 'user', role: 'authenticated', scope: 'memory.read' },
    },
    lifetimeSeconds: 3_600,
  })
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_SERVICE_NAME: 'data_store',
    BENCH_USER: USER,
    BENCH_DATABASE_URL: postgres.databaseUrl,
    BENCH_MIGRATION_URL: postgres.migrationUrl,
    BENCH_POSTGREST_TOKEN: token,
    BENCH_POSTGREST_PORT: String(supabase.postgrest().port),
    BENCH_POSTGREST_PID: String(supabase.postgrest().pid),
  }
  for (const { title, dataStore, postgrest } of WAYS) {
    for (const connections of [1, 4, 16]) {
      const rows = await compare({
        servers: new URL('servers/data-store.ts', import.meta.url),
        variants: ['data_store', 'PostgREST'],
        ...{ rounds: 15, requestsPerSlice: 200, awake: false, connections, launches: 2 },
        env: { ...env, BENCH_DATA_STORE_PATH: dataStore, BENCH_POSTGREST_PATH: postgrest },
        execArgv: ['--import', '@waybill/telemetry/register'],
      })
      process.stdout.write(`${title}, ${String(connections)} client${connections === 1 ? '' : 's'} at once\n`)
      process.stdout.write(table(rows, 'PostgREST'))
      const kept = ratio(rows, 'data_store', 'PostgREST').toFixed(2)
      process.stdout.write(`data_store answers ${kept} times what PostgREST does (1.00 is wanted)\n\n`)
    }
  }
} finally {
  sink.close()
  await supabase.close()
  await postgres.close()
}
