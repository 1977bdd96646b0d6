import type { Database } from '@waybill/database'
import type { Logger } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'

const PURGE_EVERY_MS = 60 * 60_000
/** Of many rows no statement lasts for long. */
const MOST_AT_ONCE = 10_000

/** Forgets usage and alerts of more than `days` ago, at the start and from time to time. */
export function createRetention({ database, days, log }: RetentionOptions) {
  let timer: NodeJS.Timeout | undefined
  const first = sql`(now() at time zone 'UTC')::date - ${days}::int`

  async function purge(): Promise<void> {
    for (let forgotten = MOST_AT_ONCE; forgotten === MOST_AT_ONCE;) {
      const { numAffectedRows = 0n } = await database.withoutPrincipal((tx) =>
        sql`
          delete from usage where id = any (array(select id from usage where day < ${first} limit ${MOST_AT_ONCE}))`.execute(
          tx,
        ),
      )
      forgotten = Number(numAffectedRows)
    }
    await database.withoutPrincipal((tx) =>
      sql`delete from budget_alerts where starts < ${first}`.execute(tx),
    )
  }

  return {
    /** @throws what `withoutPrincipal` throws */
    async start(): Promise<void> {
      await purge()
      timer ??= setInterval(() => {
        void purge().catch((error: unknown) => {
          log.warn({ err: error }, 'old usage could not be forgotten')
        })
      }, PURGE_EVERY_MS).unref()
    },
    close(): void {
      clearInterval(timer)
    },
  }
}

interface RetentionOptions {
  database: Database<Tables>
  days: number
  log: Logger
}
