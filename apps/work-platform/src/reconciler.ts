import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
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
  let isClosing = false

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
    const ageMs = options.interruptedAfterMs
    let kept = 0
    let isMore = true
    while (isMore) {
      // Past those that could not be removed: however many they are, they keep nobody else waiting.
      const wanted = { ageMs, limit: BATCH, offset: kept }
      const abandoned = await database.withoutPrincipal((tx) => store.abandonedBaskets(tx, wanted))
      for (const basket of abandoned) kept += (await remove(basket)) ? 0 : 1
      isMore = abandoned.length === BATCH && !isClosing
    }
  }

  /** Gives back whether the basket is gone. @throws Problem when none could be removed at the moment */
  async function remove(basket: store.AbandonedBasket): Promise<boolean> {
    const { workspace_id: workspaceId, basket_id: id } = basket
    try {
      await baskets.remove({ workspaceId, id }, { timeoutMs: REMOVAL_MS })
    } catch (error) {
      if (isDown(error)) throw error
      log.warn({ err: error, basket_id: id }, 'an abandoned basket could not be removed')
      return false
    }
    await database.withoutPrincipal((tx) => store.deleteAbandoned(tx, basket))
    return true
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
      isClosing = true
      clearInterval(timer)
      await round
    },
  }
}

/** Whether every other call would fail alike, so that they had better wait for the next round. */
function isDown(error: unknown): boolean {
  return error instanceof Problem && (error.code === 'unavailable' || error.code === 'timeout')
}
