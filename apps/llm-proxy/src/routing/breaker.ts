/** Leave to send one attempt. */
export interface Permit {
  /** Whether it finds out if a circuit may close again. */
  probe: boolean
}

export interface BreakerOptions {
  failures: number
  window_ms: number
  cool_down_ms: number
}

/** A circuit breaker for one place. Times are in milliseconds of one clock that never goes back. */
export interface Breaker {
  /** How long nothing may be sent there, in ms; 0 when something may. */
  blockedForMs(now: number): number
  /** Leave to send, or undefined: open, or half open with its probe under way. */
  enter(now: number): Permit | undefined
  /** How the attempt of that permit went; `nothing`: it says nothing of the place. */
  leave(permit: Permit, result: 'success' | 'failure' | 'nothing', now: number): void
}

/**
 * Opens after `failures` in a row, none older than `window_ms`: a success of anybody counts all of them as past, so that
 * one user's bad requests do not close the place to others for whom it works. After `cool_down_ms` one probe is let
 * through; its success closes the circuit, its failure opens it for as long again. A probe of which nothing is heard
 * for that long gives its place to the next. `turned` is told when the circuit opens, and when it is closed again.
 */
export function createBreaker(
  { failures, window_ms, cool_down_ms }: BreakerOptions,
  turned: (state: 'open' | 'closed') => void = () => undefined,
): Breaker {
  let recent: number[] = []
  let openUntil: number | undefined
  let probe: Permit | undefined
  return {
    blockedForMs: (now) => Math.max(0, (openUntil ?? now) - now),
    enter(now) {
      if (openUntil === undefined) return { probe: false }
      if (now < openUntil) return undefined
      // Half open. Nobody else may enter while the probe is under way.
      openUntil = now + cool_down_ms
      probe = { probe: true }
      return probe
    },
    leave(permit, result, now) {
      if (openUntil !== undefined) {
        // What was sent before it opened has nothing to say any more.
        if (permit !== probe) return
        probe = undefined
        if (result === 'success') {
          openUntil = undefined
          recent = []
          turned('closed')
        } else {
          openUntil = result === 'failure' ? now + cool_down_ms : now
        }
      } else if (result === 'success') {
        recent = []
      } else if (result === 'failure') {
        recent = [...recent.filter((at) => now - at < window_ms), now]
        if (recent.length < failures) return
        openUntil = now + cool_down_ms
        turned('open')
      }
    },
  }
}

/** The breaker of a route that has none. */
export const ALWAYS_CLOSED: Breaker = {
  blockedForMs: () => 0,
  enter: () => ({ probe: false }),
  leave: () => undefined,
}
