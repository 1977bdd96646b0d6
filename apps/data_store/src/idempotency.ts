import type { Database } from '@waybill/database'
import { outliveRequest, Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Operation } from './backend.ts'
import { digestOf } from './digest.ts'
import type { Journal } from './journal.ts'
import { isRefusal } from './refusal.ts'
import type { Tables } from './tables.ts'

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
   * Runs `work`, or gives back what came of it when the same was asked before; without a `request` it is run each time. `work` that
   * throws a refusal (a Problem below 500, or 501) has done nothing, and its key is free again. After any other failure, and when the
   * service stopped meanwhile, nobody knows whether it was done: the key is kept, and asking again is told so.
   * @throws Problem `unprocessable` when the key came with another request, `conflict` while the first is at work or when its
   *   end is not known
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
  const keep = ({ principal }: Operation, { key, fingerprint, created_at }: Taken, answer: string) =>
    database.withPrincipal(principal, (tx) =>
      tx
        .updateTable('idempotency_keys')
        .set({ answer })
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

  /** Whatever becomes of it, the client gets the answer that there is: it is only a later repetition that will not. */
  async function inTime(what: string, work: () => Promise<unknown>): Promise<void> {
    await outliveRequest(FINISHING_MS, work).catch((error: unknown) => {
      log.warn({ err: error, what }, 'an Idempotency-Key is left without its answer')
    })
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
      const { mine, before } = await claim(operation, key, fingerprint)
      if (before) {
        const again = async () => Promise.resolve(answerOf(before, fingerprint, atWorkMs))
        const answer = await journal.read(operation, again, () => ({ replayed: true }))
        // Kept below, by the same request.
        return { result: (JSON.parse(answer) as { result: T }).result, isReplayed: true }
      }
      const result = await work().catch(async (error: unknown) => {
        if (isRefusal(error)) await inTime('release', () => release(operation, mine))
        throw error
      })
      await inTime('keep', () => keep(operation, mine, JSON.stringify({ result })))
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

interface Claimed {
  fingerprint: string
  answer: string | null
  created_at: Date
}

function answerOf(before: Claimed, fingerprint: string, atWorkMs: number): string {
  if (before.fingerprint !== fingerprint) {
    throw new Problem('unprocessable', 'This Idempotency-Key was sent with another request before.')
  }
  if (before.answer !== null) return before.answer
  if (Date.now() - before.created_at.getTime() < atWorkMs) {
    throw new Problem('conflict', 'A request with this Idempotency-Key is being worked on.', {
      headers: { 'Retry-After': '1' },
    })
  }
  const detail =
    'The request with this Idempotency-Key was interrupted, and may have been done or not: look, then use another key.'
  throw new Problem('conflict', detail)
}

function ago(ms: number) {
  return sql<Date>`now() - make_interval(secs => ${ms / 1_000})`
}
