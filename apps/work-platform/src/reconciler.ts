import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import type { Logger } from '@waybill/service-kit'
import type { BasketsClient } from './clients.ts'
import { releaseKey } from './store/idempotency-keys.ts'
import * as store from './store/leftovers.ts'
import type { Tables } from './tables.ts'

export interface ReconcilerOptions {
  database: Database<Tables>
  baskets: BasketsClient
  log: Logger
  /** In milliseconds. */
  intervalMs: number
  /** How old a creation must be to count as interrupted, in milliseconds. */
  interruptedAfterMs: number
  /** How long an Idempotency-Key is remembered, in milliseconds. */
  keysKeptMs: number
}

export interface Reconciler {
  /** Begins the first round, and then one each interval. */
  start(): void
  /** One round: afterwards no interrupted creation is left, and fewer abandoned baskets if substrate-api lets us. */
  run(): Promise<void>
  /** No further rounds; waits for the one under way. */
  close(): Promise<void>
}

const BATCH = 100
const REMOVAL_MS = 2_000

/**
 * Clears away what a crash, or a neighbour that did not answer, has left behind. It runs for no user, so it finishes no
 * creation: it removes the row, and asks substrate-api in this service's own name to remove the basket.
 */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { database, baskets, log } = options
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> = Promise.resolve()
  let isRunning = false

  async function removeInterrupted(): Promise<void> {
    await database.withoutPrincipal(async (tx) => {
      for (const row of await store.deleteInterrupted(tx, options.interruptedAfterMs)) {
        await store.insertAbandoned(tx, row)
        await releaseKey(tx, row.id)
        const resource = `workspaces/${row.workspace_id}/projects/${row.id}`
        const details = { code: 'interrupted' }
        await recordAudit(tx, { action: 'project.create', resource, outcome: 'failure', details })
        log.warn({ project_id: row.id }, 'removed a project whose creation was interrupted')
      }
      await store.deleteOldKeys(tx, options.keysKeptMs)
    })
  }

  async function removeAbandoned(): Promise<void> {
    // Only after a while: by then no request can be under way any more that would make the basket after all.
    const wanted = { ageMs: options.interruptedAfterMs, limit: BATCH }
    const abandoned = await database.withoutPrincipal((tx) => store.abandonedBaskets(tx, wanted))
    for (const basket of abandoned) {
      const address = { workspaceId: basket.workspace_id, id: basket.basket_id }
      // The first failure ends the round: the others would fail alike, and wait for the next.
      await baskets.remove(address, { timeoutMs: REMOVAL_MS })
      await database.withoutPrincipal((tx) => store.deleteAbandoned(tx, basket))
    }
  }

  async function run(): Promise<void> {
    await removeInterrupted()
    await removeAbandoned()
  }

  function next(): void {
    if (isRunning) return
    isRunning = true
    round = run()
      .catch((error: unknown) => {
        log.warn({ err: error }, 'leftovers remain until the next round')
      })
      .finally(() => {
        isRunning = false
      })
  }

  return {
    start() {
      timer = setInterval(next, options.intervalMs).unref()
      next()
    },
    run,
    async close() {
      clearInterval(timer)
      await round
    },
  }
}
