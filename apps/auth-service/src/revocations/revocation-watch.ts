import type { Database } from '@waybill/database'
import type { Logger } from '@waybill/service-kit'
import { pause } from '../time/pause.ts'
import { awaitWriters, newestCursor, pruneRevocations } from '../store/revocations.ts'
import type { Schema } from '../store/schema.ts'

export interface RevocationWatchOptions {
  database: Database<Schema>
  log: Logger
  /** Milliseconds since the epoch. */
  now: () => number
}

/** Looks for news in the table of revocations, once for all who wait. */
export interface RevocationWatch {
  /** Begins to look; until `signal` aborts, which wakes all who wait. */
  start(signal: AbortSignal): Promise<void>
  /** A revocation has been written in this process and is about to be committed: looks as soon as it is. */
  expect(): void
  /** Resolves when the feed is past `cursor`, the time is up, `signal` aborts, or the watch ends. */
  newsAfter(cursor: string, waitMs: number, signal: AbortSignal): Promise<void>
  /** Resolves when the last look is over. */
  close(): Promise<void>
}

/** How soon the writings of other instances are seen, in milliseconds. */
const LOOK_EVERY_MS = 500
const PRUNE_EVERY_MS = 60_000

export function createRevocationWatch({ database, log, now }: RevocationWatchOptions): RevocationWatch {
  const waiting = new Set<() => void>()
  let newest = '0'
  let expecting = false
  /** Ends the pause between two looks. */
  const pausing = new Set<() => void>()
  let ended = true
  let watching: Promise<void> | undefined
  let prunedAt = Number.NEGATIVE_INFINITY

  const look = async (): Promise<void> => {
    const isExpecting = expecting
    expecting = false
    const cursor = await database.withoutPrincipal(
      async (tx) => {
        if (isExpecting) await awaitWriters(tx)
        return newestCursor(tx)
      },
      { readOnly: true },
    )
    if (cursor !== newest) {
      newest = cursor
      endAll(waiting)
    }
    if (now() - prunedAt < PRUNE_EVERY_MS) return
    prunedAt = now()
    await database.withoutPrincipal((tx) => pruneRevocations(tx, new Date(now())))
  }

  const watch = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await look().catch((error: unknown) => {
        log.warn({ err: error }, 'the revocations cannot be read')
      })
      if (!expecting) await pause(LOOK_EVERY_MS, signal, pausing)
    }
    ended = true
    endAll(waiting)
  }

  return {
    async start(signal) {
      newest = await database.withoutPrincipal(newestCursor, { readOnly: true })
      ended = false
      watching = watch(signal)
    },
    expect() {
      expecting = true
      endAll(pausing)
    },
    async newsAfter(cursor, waitMs, signal) {
      const until = performance.now() + waitMs
      // Who knows already what the others are woken for waits on.
      while (!ended && !signal.aborted && BigInt(newest) <= BigInt(cursor)) {
        const leftMs = until - performance.now()
        if (leftMs <= 0) return
        await pause(leftMs, signal, waiting)
      }
    },
    async close() {
      await watching
    },
  }
}

function endAll(pauses: Set<() => void>): void {
  for (const end of [...pauses]) end()
}
