import { setTimeout as delay } from 'node:timers/promises'
import { nothingDone } from '../../refusal.ts'
import { contended } from '@waybill/http-client'

/** The loser of a race reads anew and tries again; with twenty at once, the last of them twenty times. */
const ATTEMPTS = 60
const LONGEST_PAUSE_MS = 40

/**
 * Does `attempt` until it has something to give back: undefined is that somebody was faster. The pauses grow and are random.
 * @throws Problem `unavailable` when somebody always was
 */
export async function persistently<T>(attempt: () => Promise<{ done: T } | undefined>): Promise<T> {
  for (let tried = 1; tried <= ATTEMPTS; tried += 1) {
    const result = await attempt()
    if (result) return result.done
    await delay(Math.random() * Math.min(LONGEST_PAUSE_MS, 4 * tried))
  }
  throw nothingDone(contended())
}
