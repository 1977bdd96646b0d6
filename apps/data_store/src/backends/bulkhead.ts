import { Problem } from '@waybill/service-kit'
import type { Backend } from '../backend.ts'
import { nothingDone } from '../refusal.ts'
import { around } from './around.ts'
import { createGate } from './gate.ts'

export interface BulkheadOptions {
  /** As it stands in paths. */
  name: string
  /** Operations at a time. */
  most: number
  /** How many more may wait, and how long, in milliseconds. */
  waiting?: { most: number; ms: number }
}

/**
 * The backend with no more than so many operations under way in this process: one that hangs must not take all the connections by
 * which the others are reached. Whoever finds it full is refused before anything is done: Problem `unavailable` with Retry-After.
 */
export function bulkhead(backend: Backend, { name, most, waiting }: BulkheadOptions): Backend {
  const gate = createGate(most, {
    mostWaiting: waiting?.most ?? 0,
    ...(waiting && { waitMs: waiting.ms }),
    refusal: () =>
      nothingDone(
        new Problem('unavailable', `The backend ${name} is busy with as much as it may do at a time.`, {
          headers: { 'Retry-After': '1' },
        }),
      ),
  })
  return around(backend, (_name, _operation, work) => gate(work))
}
