import { fits, WINDOW_MS } from './store.ts'
import type { Counts, LimitStore, Subject } from './store.ts'

/** Counts in this process. What ended long ago is forgotten once in a window. */
export function createMemoryStore(now: () => number = Date.now): LimitStore {
  const entries = new Map<string, Counts>()
  let sweepAt = 0

  function entryOf({ kind, id }: Subject, at: number): Counts {
    const key = `${kind}:${id}`
    let entry = entries.get(key)
    if (!entry) {
      entry = { requests: 0, requestsUntil: 0, tokens: 0, tokensUntil: 0, concurrent: 0 }
      entries.set(key, entry)
    }
    if (isOver(entry.requestsUntil, at)) {
      entry.requests = 0
      entry.requestsUntil = at + WINDOW_MS
    }
    if (isOver(entry.tokensUntil, at)) {
      entry.tokens = 0
      entry.tokensUntil = at + WINDOW_MS
    }
    return entry
  }

  function sweep(at: number): void {
    if (!isOver(sweepAt, at)) return
    sweepAt = at + WINDOW_MS
    for (const [key, { requestsUntil, tokensUntil, concurrent }] of entries) {
      if (concurrent === 0 && isOver(requestsUntil, at) && isOver(tokensUntil, at)) entries.delete(key)
    }
  }

  return {
    take(subjects, wanted) {
      const { calls, tokens } = wanted
      const at = now()
      sweep(at)
      const taken = subjects.map((subject) => entryOf(subject, at))
      const counts = taken.map((entry) => ({ ...entry }))
      const admitted = subjects.every((subject, index) => {
        const before = counts[index]
        return before !== undefined && fits(subject, before, wanted)
      })
      if (!admitted) return { admitted, now: at, counts, end: () => undefined }
      for (const entry of taken) {
        entry.requests += calls
        entry.tokens += tokens
        entry.concurrent += calls
      }
      let ended = false
      const end = (used: number) => {
        if (ended) return
        ended = true
        taken.forEach((entry, index) => {
          entry.concurrent -= calls
          if (entry.tokensUntil === counts[index]?.tokensUntil) entry.tokens += used - tokens
        })
      }
      return { admitted, now: at, counts, end }
    },
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

/** A clock that was set back does not make a window longer. */
function isOver(until: number, at: number): boolean {
  return until <= at || until > at + WINDOW_MS
}
