import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { layoutsOf, startFileMaker, startTestPostgres, startTestSupabase } from '@waybill/dev-env'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COLLECTIONS } from './fixtures/collections.ts'
import { createWorker, settleAfterCrash, writeUntilGone } from './fixtures/crash-worker.ts'
import type { CrashWorker } from './fixtures/crash-worker.ts'
import { HAS_POSTGREST } from './fixtures/on-postgrest.ts'
import { createRandom } from './fixtures/random.ts'
import { startIssuer, startService } from './fixtures/service-process.ts'
import type { ServiceProcess } from './fixtures/service-process.ts'
import { ALL_BACKENDS } from './setting.ts'

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 20)
const SEED = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))

let environment: Record<string, string>
let admin: pg.Client
const workers: CrashWorker[] = []
let running: ServiceProcess | undefined
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const [postgres, folder, fileMaker, auth] = await Promise.all([
    startTestPostgres('data_store'),
    mkdtemp(join(tmpdir(), 'data_store-')),
    startFileMaker({ layouts: layoutsOf(COLLECTIONS) }),
    startIssuer(),
  ])
  admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const supabase = HAS_POSTGREST
    ? await startTestSupabase({
        adminUrl: postgres.adminUrl,
        jwks: auth.jwks,
        collections: COLLECTIONS.map(({ name, scope = 'user' }) => ({ table: name, scope })),
      })
    : undefined
  closing.push(() => supabase?.close() ?? Promise.resolve())
  closing.push(
    () => admin.end(),
    postgres.close,
    () => fileMaker.close(),
    () => auth.close(),
  )
  closing.push(() => rm(folder, { recursive: true }))
  const collectionsFile = join(folder, 'collections.json')
  await writeFile(collectionsFile, JSON.stringify({ collections: COLLECTIONS }))
  environment = {
    COLLECTIONS_FILE: collectionsFile,
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    LANCEDB_PATH: join(folder, 'lancedb'),
    ...(supabase && {
      SUPABASE_URL: supabase.url,
      SUPABASE_REST_PATH: '/',
      SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey,
      SUPABASE_SECRET_KEY: supabase.secretKey,
    }),
    FILEMAKER_URL: fileMaker.url,
    FILEMAKER_DATABASE: fileMaker.database,
    FILEMAKER_USERNAME: fileMaker.username,
    FILEMAKER_PASSWORD: fileMaker.password,
    AUTH_SERVICE_URL: auth.url,
    SERVICE_SECRET: 'for tests',
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    // An intent is known to be interrupted after twice as long.
    REQUEST_TIMEOUT_MS: '5000',
  }
  for (const [at, backend] of ALL_BACKENDS.entries()) {
    for (const [n, user] of ['alice', 'bob', 'carol'].entries()) {
      const name = `${user}-${backend}`
      const token = await auth.userToken(user)
      workers.push(createWorker({ name, backend, token, random: createRandom(SEED + 10 * at + n) }))
    }
  }
})
afterAll(async () => {
  await running?.kill()
  for (const close of closing) await close()
})

test(`killed ${String(ROUNDS)} times while it writes, it has all that it acknowledged, nothing by halves, and an audit that explains it (CRASH_SEED=${String(SEED)})`, async () => {
  const random = createRandom(SEED)
  for (let round = 1; round <= ROUNDS; round += 1) {
    const service = await start()
    await Promise.all(workers.map((worker) => settleAfterCrash(worker, service.url)))
    let left = 1 + random.int(60)
    const acknowledged = () => {
      left -= 1
      if (left === 0) void service.kill()
    }
    await Promise.all(workers.map((worker) => writeUntilGone(worker, service.url, acknowledged)))
  }
  const service = await start()
  await Promise.all(workers.map((worker) => settleAfterCrash(worker, service.url)))
  for (const worker of workers) await expectExplained(worker)
  expect(await intentsWithoutEnd()).toEqual([])
  expect(await service.stop()).toBe(0)
}, 600_000)

const start = async () => (running = await startService(environment))

interface AuditRow {
  actor: string
  action: string
  resource: string
  outcome: string
  request_id: string
  details: { ids?: string[] }
}

/** Each write that was acknowledged has its outcome in the audit; each record of the store a row that says where it comes from. */
async function expectExplained({ name, backend, acknowledged, ids }: CrashWorker): Promise<void> {
  const [user] = name.split('-')
  const { rows } = await admin.query<AuditRow>(
    `select actor, action, resource, outcome, request_id, details from audit
      where actor = $1 and split_part(resource, '/', 1) = $2 order by id`,
    [`user:${String(user)}`, backend],
  )
  expect(acknowledged.length).toBeGreaterThan(0)
  const succeeded = new Set(
    rows
      .filter(({ outcome }) => outcome === 'success')
      .map(({ request_id, action }) => `${request_id} ${action}`),
  )
  const unaudited = acknowledged.filter(({ requestId, action }) => !succeeded.has(`${requestId} ${action}`))
  expect(unaudited).toEqual([])
  const done = rows.filter(({ outcome }) => outcome === 'success' || outcome === 'intent')
  const explained = new Set(
    done.flatMap(({ resource, details }) => [
      resource,
      ...(details.ids ?? []).map((id) => `${backend}/notes/${id}`),
    ]),
  )
  expect([...ids.values()].filter((id) => !explained.has(`${backend}/notes/${id}`))).toEqual([])
}

/** None is left over: what no outcome was written for is still open, or was closed as interrupted. */
async function intentsWithoutEnd(): Promise<AuditRow[]> {
  const { rows } = await admin.query<AuditRow>(`
    select * from audit as intents where outcome = 'intent' and not exists (
      select from audit where outcome <> 'intent' and details ->> 'intent' = intents.details ->> 'intent'
      union all select from open_intents where id::text = intents.details ->> 'intent')`)
  return rows
}
