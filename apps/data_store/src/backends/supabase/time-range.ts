import { compareTexts } from '../../query/evaluate.ts'

/**
 * Times of records are compared as the texts that they are given back as, `2027-01-31T12:00:00.000Z`, with whatever text: with
 * `2027`, say. Later times are greater texts, so each text parts the times into those before a moment and the others.
 */

const FIRST = Date.parse('0001-01-01T00:00:00.000Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')

/** Greater than every text that begins alike. */
const AFTER_ALL = '\u{10ffff}'

/** From the first moment of a range until, and without, the one after its last; undefined where there is no such end. */
export interface TimeRange {
  from: string | undefined
  until: string | undefined
}

/** The times whose text is less than, at most, greater than or at least `text`; undefined when there are none. */
export function timesCompared(op: 'lt' | 'le' | 'gt' | 'ge', text: string): TimeRange | undefined {
  const strictly = op === 'le' || op === 'gt'
  const moment = firstMoment((time) => {
    const difference = compareTexts(time, text)
    return strictly ? difference > 0 : difference >= 0
  })
  return op === 'lt' || op === 'le' ? range(undefined, moment) : range(moment, LAST + 1)
}

/** The times whose text begins with `text`; undefined when there are none. */
export function timesBeginning(text: string): TimeRange | undefined {
  return range(
    firstMoment((time) => compareTexts(time, text) >= 0),
    firstMoment((time) => compareTexts(time, text + AFTER_ALL) >= 0),
  )
}

/** The first moment at which `holds`, which then holds for good; LAST + 1 when it never does. */
function firstMoment(holds: (time: string) => boolean): number {
  let [low, high] = [FIRST, LAST + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(new Date(middle).toISOString())) high = middle
    else low = middle + 1
  }
  return low
}

function range(from = FIRST, until = LAST + 1): TimeRange | undefined {
  if (from >= until) return undefined
  return {
    from: from === FIRST ? undefined : new Date(from).toISOString(),
    until: until > LAST ? undefined : new Date(until).toISOString(),
  }
}
