import { unavailable } from '@waybill/service-kit'
import type { Converted } from './convert/convert.ts'
import type { Job } from './convert/protocol.ts'
import { createPlaces } from './places.ts'
import type { Place } from './places.ts'
import { startWorker } from './worker-process.ts'
import type { Worker, WorkerLimits } from './worker-process.ts'

export interface PoolLimits extends WorkerLimits {
  /** Conversions at the same time, each in a process of its own. */
  workers: number
  /** Requests admitted beyond those; the next one is refused. */
  queue: number
  /** Requests of one user that are admitted at the same time. */
  placesPerUser: number
  /** Conversions after which a process is replaced, so that whatever a document left behind goes with it. */
  jobsPerWorker: number
}

export interface WorkerPool {
  /**
   * Takes a place for one request of a user.
   * @throws Problem unavailable when workers and queue are full, rate_limited when the user has their share
   */
  admit(userId: string): Place
  /**
   * Converts in the next free worker.
   * @throws ConversionError; Problem unavailable when no process can be started; the signal's reason when aborted, and
   *   then the worker is ended.
   */
  convert(job: Job, signal: AbortSignal): Promise<Converted>
  /** The processes that exist now. */
  readonly pids: number[]
  /** Ends every worker, also busy ones; resolves when none is left. */
  close(): Promise<void>
}

interface Seat {
  worker?: Worker | undefined
  jobs: number
}

/** Keeps at most `workers` processes, started when first needed. */
export function createWorkerPool(limits: PoolLimits): WorkerPool {
  const free: Seat[] = Array.from({ length: limits.workers }, () => ({ jobs: 0 }))
  const waiting: ((seat: Seat) => void)[] = []
  const running = new Set<Worker>()
  const closing = new AbortController()
  const takePlace = createPlaces(limits.workers + limits.queue, limits.placesPerUser)

  const hire = (seat: Seat): Worker => {
    if (seat.worker?.alive) return seat.worker
    const worker = startWorker(limits)
    seat.worker = worker
    seat.jobs = 0
    running.add(worker)
    return worker
  }

  const retire = async (seat: Seat): Promise<void> => {
    const { worker } = seat
    seat.worker = undefined
    if (!worker) return
    await worker.kill()
    running.delete(worker)
  }

  const release = (seat: Seat) => {
    const next = waiting.shift()
    if (next) next(seat)
    else free.push(seat)
  }

  const takeSeat = (signal: AbortSignal): Promise<Seat> => {
    const seat = free.pop()
    if (seat) return Promise.resolve(seat)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        waiting.splice(waiting.indexOf(onSeat), 1)
        reject(abortReason(signal))
      }
      const onSeat = (given: Seat) => {
        signal.removeEventListener('abort', onAbort)
        resolve(given)
      }
      waiting.push(onSeat)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  return {
    admit(userId) {
      if (closing.signal.aborted) throw abortReason(closing.signal)
      return takePlace(userId)
    },
    async convert(job, caller) {
      const signal = AbortSignal.any([caller, closing.signal])
      if (signal.aborted) throw abortReason(signal)
      const seat = await takeSeat(signal)
      try {
        const worker = hire(seat)
        seat.jobs++
        return await worker.convert(job, signal)
      } finally {
        if (seat.jobs >= limits.jobsPerWorker || !seat.worker?.alive) await retire(seat)
        release(seat)
      }
    },
    get pids() {
      return [...running].flatMap((worker) => (worker.alive && worker.pid !== undefined ? [worker.pid] : []))
    },
    async close() {
      closing.abort(unavailable('docling is closing; it'))
      await Promise.all([...running].map((worker) => worker.kill()))
      running.clear()
    },
  }
}

function abortReason(signal: AbortSignal): Error {
  const { reason } = signal as { reason: unknown } // typed any in the DOM library
  return reason instanceof Error ? reason : new Error('The conversion was given up.', { cause: reason })
}
