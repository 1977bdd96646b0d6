import type { Database } from '@waybill/database'
import { outliveRequest, Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Operation } from '../backend.ts'
import { digestOf } from '../audit/digest.ts'
import type { Journal } from '../audit/journal.ts'
import { didNothing } from '../refusal.ts'
import type { Tables } from '../tables.ts'

/** A request that its sender may send again. */
export interface Repeatable {
  /** Of its Idempotency-Key header. */
  key: string
  /** All of what is asked, as a JSON value. */
  asked: unknown
}

/** What a write came to, and whether that was so long before. */
export interface Written<T> {
  result: T
  isReplayed: boolean
}

/** Writes that are done once, however often they are sent (draft-ietf-httpapi-idempotency-key-header). */
export interface Idempotency {
  /**
   * Runs `work`, or gives back what came of it when the same was asked before; without a `request` it is run each time. The key is free
   * again when `work` throws something of which didNothing() holds. After any other failure nobody knows whether it was done: the key
   * is kept, and asking again is told so at once, and after a stop of the service as soon as no request can be at work any more.
   * @throws Problem `unprocessable` when the key came with another request, `conflict` while the first is at work (with
   *   Retry-After) or when its end is not known
   */
  once<T>(operation: Operation, request: Repeatable | undefined, work: () => Promise<T>): Promise<Written<T>>
  /** Forgets the keys that are too old, now and from time to time. */
  start(): Promise<void>
  close(): Promise<void>
}

interface IdempotencyOptions {
  database: Database<Tables>
  journal: Journal
  log: Logger
  /** How long a key is remembered, in milliseconds. */
  keptMs: number
  /** The longest that a request can be at work, in milliseconds. */
  atWorkMs: number
}

/** How long keeping the answer may take after the client has stopped waiting, in milliseconds. */
const FINISHING_MS = 10_000
/** Answers may be long. */
const MOST_UNSAID = 100
const PURGE_EVERY_MS = 10 * 60_000

export function createIdempotency(options: IdempotencyOptions): Idempotency {
  const { database, journal, log, keptMs, atWorkMs } = options
  let timer: NodeJS.Timeout | undefined

  /** Takes the key, and says when; or gives back the row of the request that has it already. */
  const claim = ({ principal }: Operation, key: string, fingerprint: string) =>
    database.withPrincipal(principal, async (tx) => {
      const mine = tx.deleteFrom('idempotency_keys').where('key', '=', key)
      await mine.where('created_at', '<', ago(keptMs)).execute()
      const taken = await tx
        .insertInto('idempotency_keys')
        .values({ key, fingerprint })
        .onConflict((conflict) => conflict.columns(['user_id', 'key']).doNothing())
        .returning('created_at')
        .executeTakeFirst()
      if (taken) return { mine: { key, fingerprint, created_at: taken.created_at } }
      const before = await tx
        .selectFrom('idempotency_keys')
        .select(['fingerprint', 'answer', 'created_at'])
        .where('key', '=', key)
        .executeTakeFirst()
      return { before: before ?? { fingerprint, answer: null, created_at: new Date() } }
    })

  // Only the row that this request has made: the key may be another's by now.
  const keep = ({ principal }: Operation, { key, fingerprint, created_at }: Taken, ending: Ending) =>
    database.withPrincipal(principal, (tx) =>
      tx
        .updateTable('idempotency_keys')
        .set({ answer: JSON.stringify(ending) })
        .where('key', '=', key)
        .where('fingerprint', '=', fingerprint)
        .where('created_at', '=', created_at)
        .execute(),
    )

  const release = ({ principal }: Operation, { key, fingerprint, created_at }: Taken) =>
    database.withPrincipal(principal, (tx) =>
      tx
        .deleteFrom('idempotency_keys')
        .where('key', '=', key)
        .where('fingerprint', '=', fingerprint)
        .where('created_at', '=', created_at)
        .execute(),
    )

  /** What could not be said of a request's end yet, because Postgres was away. */
  const unsaid = new Set<() => Promise<unknown>>()

  /** Whatever becomes of it, the client gets the answer that there is; what does not succeed now is done before the next key is taken. */
  async function say(end: () => Promise<unknown>): Promise<boolean> {
    try {
      await outliveRequest(FINISHING_MS, end)
      return true
    } catch (error) {
      const isKept = unsaid.size < MOST_UNSAID
      if (isKept) unsaid.add(end)
      log.warn({ err: error, isKept }, 'an Idempotency-Key is left without its answer')
      return false
    }
  }

  async function catchUp(): Promise<void> {
    for (const end of unsaid) {
      unsaid.delete(end)
      if (!(await say(end))) return
    }
  }

  async function purge(): Promise<void> {
    await database.withoutPrincipal((tx) =>
      tx.deleteFrom('idempotency_keys').where('created_at', '<', ago(keptMs)).execute(),
    )
  }

  return {
    async once<T>(operation: Operation, request: Repeatable | undefined, work: () => Promise<T>) {
      if (!request) return { result: await work(), isReplayed: false }
      const { key } = request
      // Whose records are meant is part of what is asked: the same user may come for another tenant.
      const fingerprint = digestOf([operation.owner, request.asked])
      await catchUp()
      const { mine, before } = await claim(operation, key, fingerprint)
      if (before) {
        const again = async () => Promise.resolve(resultOf(before, fingerprint, atWorkMs))
        const result = await journal.read(operation, again, () => ({ replayed: true }))
        return { result: result as T, isReplayed: true } // kept below, of the same request
      }
      const result = await work().catch(async (error: unknown) => {
        await say(() =>
          didNothing(error) ? release(operation, mine) : keep(operation, mine, { ended: 'unknown' }),
        )
        throw error
      })
      await say(() => keep(operation, mine, { result }))
      return { result, isReplayed: false }
    },
    async start() {
      await purge()
      timer ??= setInterval(() => {
        void purge().catch((error: unknown) => {
          log.warn({ err: error }, 'old Idempotency-Keys could not be forgotten')
        })
      }, PURGE_EVERY_MS).unref()
    },
    close() {
      clearInterval(timer)
      return Promise.resolve()
    },
  }
}

/** The row that a request has made for itself. */
interface Taken {
  key: string
  fingerprint: string
  created_at: Date
}

/** How a request ended, as its row keeps it. */
type Ending = { result: unknown } | { ended: 'unknown' }

interface Claimed {
  fingerprint: string
  answer: string | null
  created_at: Date
}

/** What came of a request before. */
function resultOf(before: Claimed, fingerprint: string, atWorkMs: number): unknown {
  if (before.fingerprint !== fingerprint) {
    throw new Problem('unprocessable', 'This Idempotency-Key was sent with another request before.')
  }
  // Written by keep() alone.
  const ending = before.answer === null ? undefined : (JSON.parse(before.answer) as Ending)
  if (ending && 'result' in ending) return ending.result
  if (!ending && Date.now() - before.created_at.getTime() < atWorkMs) {
    throw new Problem('conflict', 'A request with this Idempotency-Key is being worked on.', {
      headers: { 'Retry-After': '1' },
    })
  }
  const how = ending ? 'failed' : 'was interrupted'
  const detail = `The request with this Idempotency-Key ${how}, and may have been done or not: look, then use another key.`
  throw new Problem('conflict', detail)
}

function ago(ms: number) {
  return sql<Date>`now() - make_interval(secs => ${ms / 1_000})`
}
