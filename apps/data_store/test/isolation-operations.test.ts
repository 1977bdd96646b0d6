import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createUser, differenceOf, step } from './fixtures/random-user.ts'
import { createRandom } from './fixtures/random.ts'
import { ALL_BACKENDS, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

// Over HTTP, on real connections, many users at once. Each has a model of what is theirs; whatever a backend answers is held to it, so
// that a record of somebody else's, or one that somebody else has touched, is found in the first answer that shows it.

const USERS = 50
const DECLARED_ONLY: string[] = ['supabase', 'filemaker']
/** ISOLATION_OPERATIONS sets another number for all; 10,000 take LanceDB, with its one writer, two minutes. */
const OPERATIONS = { postgres: 10_000, supabase: 10_000, lancedb: 2_500, filemaker: 10_000 }
const SEED = Number(process.env.ISOLATION_SEED ?? Math.floor(Math.random() * 2 ** 31))

let setting: Setting
let url: string
beforeAll(async () => {
  setting = await startSetting(
    // Fifty at once on a busy machine are to wait, not to be told that it is busy.
    {
      ...{ DATABASE_CONNECT_TIMEOUT_MS: '60000', REQUEST_TIMEOUT_MS: '120000', CLIENT_TIMEOUT_MS: '120000' },
      ...{ SUPABASE_MAX_CONCURRENT: String(USERS), FILEMAKER_MAX_WAITING: String(USERS) },
    },
    { supabase: true },
  )
  url = (await setting.service.listen({ port: 0 })).url
})
afterAll(() => setting.close())

describe.each(ALL_BACKENDS)('%s', (backend) => {
  const operations = Number(process.env.ISOLATION_OPERATIONS ?? OPERATIONS[backend])

  test(`${String(operations)} operations of ${String(USERS)} users at once, with the same ids: nobody sees or touches another's (ISOLATION_SEED=${String(SEED)})`, async () => {
    const users = await Promise.all(
      Array.from({ length: USERS }, async (_, n) => {
        const name = `user-${String(n)}`
        const random = createRandom(SEED + n)
        return createUser({
          name,
          url,
          backend,
          token: await setting.token(name),
          random,
          // Those that need not be declared have one more.
          collections: DECLARED_ONLY.includes(backend) ? ['notes'] : ['notes', 'plans'],
        })
      }),
    )
    let left = operations
    const answered = new Map<string, number>()
    await Promise.all(
      users.map(async (user) => {
        while (left > 0) {
          left -= 1
          // Long before the one before it expires.
          if (left % 1_000 < USERS) user.token = await setting.token(user.name)
          const { kind, status } = await step(user)
          const what = `${kind} ${String(status)}`
          answered.set(what, (answered.get(what) ?? 0) + 1)
        }
      }),
    )
    for (const user of users) expect(await differenceOf(user)).toEqual([])
    // What was done was not all refused.
    expect(answered.size).toBeGreaterThan(15)
  }, 600_000)
})
