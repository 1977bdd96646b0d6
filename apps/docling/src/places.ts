import { Problem } from '@waybill/service-kit'

const RETRY_AFTER = { 'Retry-After': '2' }

/** A place for one request, taken before its document is read into memory; give it back with `leave`. */
export interface Place {
  leave: () => void
}

/**
 * Counts the requests that are in the house: at most `total`, and at most `perUser` of one user, so that nobody keeps
 * the others out.
 * @returns a function that gives a place to a user. It throws Problem `unavailable` when all places are taken and
 *   `rate_limited` when the user has their share.
 */
export function createPlaces(total: number, perUser: number): (userId: string) => Place {
  const taken = new Map<string, number>()
  let free = total

  return (userId) => {
    const own = taken.get(userId) ?? 0
    if (own >= perUser) {
      throw new Problem(
        'rate_limited',
        `At most ${perUser} documents of one user are taken at the same time (DOCLING_PLACES_PER_USER).`,
        { headers: RETRY_AFTER },
      )
    }
    if (free === 0) {
      throw new Problem(
        'unavailable',
        'As many documents as this service takes are being converted or wait. Try again.',
        { headers: RETRY_AFTER },
      )
    }
    free--
    taken.set(userId, own + 1)
    let left = false
    return {
      leave: () => {
        if (left) return
        left = true
        free++
        const rest = (taken.get(userId) ?? 1) - 1
        if (rest > 0) taken.set(userId, rest)
        else taken.delete(userId)
      },
    }
  }
}
