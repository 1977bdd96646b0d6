import type { FileMakerCode } from './errors.ts'

/** What goes wrong with a request, for tests of what its client makes of that. */
export type Fault =
  | { kind: 'error'; code: FileMakerCode; status?: number }
  /** An answer that is none: HTML with status 200 unless `body` and `status` say otherwise. */
  | { kind: 'garbage'; body?: string; status?: number }
  /** The connection breaks before anything is done, or with `done` once it is. */
  | { kind: 'drop'; done?: boolean }
  /** The answer is held back until the connection or the emulator is closed; what was asked is done. */
  | { kind: 'hang' }
  /** The answer of a find is every record there is: the criteria do not hold back anything. */
  | { kind: 'find-all' }
  /** `before` runs when the request has come in, before it is looked at. */
  | { kind: 'pause'; before: () => void | Promise<void> }

export interface FaultOptions {
  /** How many requests it hits; 1 unless said. */
  times?: number
  /** Which ones: `POST /fmi/data/...`, decoded. All unless said. */
  on?: RegExp
}

export interface Faults {
  add: (fault: Fault, options?: FaultOptions) => void
  /** The one that hits this request, which is thereby used up. */
  take(call: string): Fault | undefined
  clear: () => void
}

export function createFaults(): Faults {
  let waiting: { fault: Fault; left: number; on: RegExp | undefined }[] = []
  return {
    add(fault, { times = 1, on } = {}) {
      waiting.push({ fault, left: times, on })
    },
    take(call) {
      const hit = waiting.find(({ on }) => on === undefined || on.test(call))
      if (!hit) return undefined
      hit.left -= 1
      waiting = waiting.filter(({ left }) => left > 0)
      return hit.fault
    },
    clear() {
      waiting = []
    },
  }
}
