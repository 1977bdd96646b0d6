import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>

export interface LockRule {
  /** The failure that brings the first lock; 2 at least. */
  after: number
  /** The longest lock, in seconds. */
  maxSeconds: number
  /** After how many seconds without a failure all of them are forgotten. */
  forgetSeconds: number
}

/**
 * Counts one failure, in one statement, so that of many at once none is lost. The lock that it brings begins here: 1 s,
 * then twice as long each time.
 */
export async function countFailure(
  tx: Tx,
  key: Buffer,
  { after, maxSeconds, forgetSeconds }: LockRule,
): Promise<void> {
  const isForgotten = sql`l.failed_at < clock_timestamp() - make_interval(secs => ${forgetSeconds})`
  const failures = sql`case when ${isForgotten} then 1 else l.failures + 1 end`
  const seconds = sql`least(${maxSeconds}::int, power(2, least(${failures} - ${after}::int, 30)))`
  await sql`
    insert into login_locks as l (key, failures, failed_at) values (${key}, 1, clock_timestamp())
    on conflict (key) do update
      set failures = ${failures}, failed_at = clock_timestamp(),
        locked_until = case when ${failures} >= ${after}::int
          then clock_timestamp() + make_interval(secs => ${seconds}) end`.execute(tx)
}

/** For how many more seconds one of `keys`, at least, is locked; 0 when none is. */
export async function lockedForSeconds(tx: Tx, keys: readonly Buffer[]): Promise<number> {
  const { rows } = await sql<{ seconds: number | null }>`
    select max(greatest(1, ceil(extract(epoch from locked_until - clock_timestamp()))))::int as seconds
    from login_locks where key = any(${keys}) and locked_until > clock_timestamp()`.execute(tx)
  return rows[0]?.seconds ?? 0
}

/** Until when each of `keys` is locked; those that are not locked are left out. */
export async function listLocks(
  tx: Tx,
  keys: readonly Buffer[],
): Promise<{ key: Buffer; lockedUntil: Date }[]> {
  if (keys.length === 0) return []
  const { rows } = await sql<{ key: Buffer; lockedUntil: Date }>`
    select key, locked_until as "lockedUntil" from login_locks
    where key = any(${keys}) and locked_until > clock_timestamp()`.execute(tx)
  return rows
}

/** Forgets all failures of `keys`. */
export async function deleteLocks(tx: Tx, keys: readonly Buffer[]): Promise<void> {
  await sql`delete from login_locks where key = any(${keys})`.execute(tx)
}

/** Forgets what nobody has added to for `seconds`. How many there were. */
export async function deleteOldLocks(tx: Tx, seconds: number): Promise<number> {
  // What is locked is being counted: waiting for it, with other rows held, could be waited for in turn.
  const { numAffectedRows = 0n } = await sql`
    delete from login_locks where key in (
      select key from login_locks where failed_at < clock_timestamp() - make_interval(secs => ${seconds})
      for update skip locked)`.execute(tx)
  return Number(numAffectedRows)
}
