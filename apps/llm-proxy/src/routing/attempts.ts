import { Problem, requestContext } from '@waybill/service-kit'
import type { Permit } from './breaker.ts'
import type { Place, Route } from './routes.ts'
import type { AttemptOutcome, Attempts, RoutedRequest } from './routing.ts'
import type { Timing } from './timing.ts'

const FIRST_PAUSE_MS = 250

interface Step {
  place: Place
  permit: Permit
  pauseMs: number
}

/** The attempts of one request by the rules of its route. */
export function createAttempts(route: Route, request: RoutedRequest, timing: Timing): Attempts {
  const { retries, fallbacks } = route
  let current: Step | undefined
  let planned: Step | undefined
  let untried: readonly Place[] = []
  let begun = false
  let retried = 0
  let passedOver = 0
  let sent = 0

  const enter = (place: Place): Step | undefined => {
    const permit = place.breaker.enter(timing.now())
    return permit && { place, permit, pauseMs: 0 }
  }

  const first = (): Step => {
    untried = route.targets(request)
    const step = drawTarget() ?? nextFallback()
    if (!step) throw allOpen([...untried, ...fallbacks], timing.now())
    retries.budget.earn()
    return step
  }

  const drawTarget = (): Step | undefined => {
    const now = timing.now()
    const open = untried.filter(({ breaker }) => breaker.blockedForMs(now) === 0)
    const chosen = draw(open, timing.random())
    untried = untried.filter((place) => place !== chosen)
    return chosen && enter(chosen)
  }

  const nextFallback = (): Step | undefined => {
    while (passedOver < fallbacks.length) {
      const place = fallbacks[passedOver]
      passedOver += 1
      const step = place && enter(place)
      if (step) return step
    }
    return undefined
  }

  const sameAgain = (place: Place, outcome: AttemptOutcome): Step | undefined => {
    const { final, retryAfterMs } = outcome.kind === 'answered' ? outcome : {}
    // The budget is everybody's: what fails at one user's own endpoint does not draw on it.
    const isOwn = outcome.kind !== 'skipped' && outcome.ownEndpoint === true
    if (final === true || isOwn || retried >= retries.attempts) return undefined
    const range = Math.min(retries.maxPauseMs, FIRST_PAUSE_MS * 2 ** retried)
    const pauseMs =
      retryAfterMs !== undefined && retryAfterMs > 0 ? retryAfterMs : (range * (1 + timing.random())) / 2
    const patienceMs = (requestContext()?.deadline ?? Number.POSITIVE_INFINITY) - Date.now()
    if (pauseMs > retries.maxPauseMs || pauseMs >= patienceMs) return undefined
    if (place.breaker.blockedForMs(timing.now()) > 0 || !retries.budget.spend()) return undefined
    retried += 1
    const step = enter(place)
    return step && { ...step, pauseMs }
  }

  return {
    async next(signal) {
      if (signal.aborted) planned?.place.breaker.leave(planned.permit, 'nothing', timing.now())
      signal.throwIfAborted()
      current = begun ? planned : first()
      begun = true
      planned = undefined
      if (current && current.pauseMs > 0) await timing.pause(current.pauseMs, signal)
      return current?.place
    },
    failed(outcome) {
      if (!current) return false
      const { place, permit } = current
      current = undefined
      place.breaker.leave(permit, resultOf(outcome), timing.now())
      // Nothing was sent, so that a body that streams is still there.
      if (outcome.kind === 'skipped') planned = drawTarget() ?? nextFallback()
      else {
        sent += 1
        // Where one was cut short there is no time for another.
        if (!request.repeatable || outcome.kind === 'late') return false
        const failure = outcome.kind === 'answered' ? outcome.status : outcome.kind
        if (!route.on.has(failure)) return false
        planned = sameAgain(place, outcome) ?? nextFallback()
      }
      return planned !== undefined
    },
    get mayRepeat() {
      return request.repeatable && route.on.has(429) && retried < retries.attempts
    },
    get repeated() {
      return sent > 1
    },
  }
}

/** One of them, each as likely as its weight among theirs; undefined when there is none. `chance`: from 0 up to 1. */
function draw(places: readonly Place[], chance: number): Place | undefined {
  let left = chance * places.reduce((sum, { weight }) => sum + weight, 0)
  return places.find(({ weight }) => (left -= weight) < 0) ?? places.at(-1)
}

/**
 * What an outcome says of the place: a 429 is of the user's key, any answer below 500 says that somebody is there, and the
 * impatience of a caller says nothing.
 */
function resultOf(outcome: AttemptOutcome): 'success' | 'failure' | 'nothing' {
  if (outcome.kind === 'skipped' || outcome.kind === 'late' || outcome.ownEndpoint === true) return 'nothing'
  return outcome.kind === 'answered' && outcome.status < 500 ? 'success' : 'failure'
}

function allOpen(places: readonly Place[], now: number): Problem {
  const waitMs = Math.min(...places.map(({ breaker }) => breaker.blockedForMs(now)))
  const names = [...new Set(places.map(({ provider }) => provider.name))].join(', ')
  return new Problem('unavailable', `Too many calls failed just now at ${names}; none is made for a while.`, {
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1_000))) },
  })
}
