import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { authService } from '@waybill/contracts'
import { probe } from '../platform/probe.ts'
import type { ProbeCredentials } from '../platform/probe.ts'
import type { Jwks } from './start.ts'

export interface KeysFollower {
  /** Resolves when the keys are known for the first time; never fails. */
  known: Promise<void>
  close: () => Promise<void>
}

export interface FollowOptions {
  /** Where auth-service is. */
  url: string
  credentials?: ProbeCredentials | undefined
  onKeys: (jwks: Jwks) => void
  /** How often they are looked at once they are known, in milliseconds. A key is published long before it signs. */
  everyMs?: number
}

const UNTIL_KNOWN_MS = 100
const ANSWER_MS = 2_000

/** Looks at the keys that auth-service publishes, from when it is there, and tells whenever they are others. */
export function followKeys({ url, credentials, onKeys, everyMs = 5_000 }: FollowOptions): KeysFollower {
  const over = new AbortController()
  const known = Promise.withResolvers<undefined>()
  const look = async (last: Jwks | undefined): Promise<Jwks | undefined> => {
    const limit = AbortSignal.any([over.signal, AbortSignal.timeout(ANSWER_MS)])
    const { status, body } = await probe(url + authService.JWKS_PATH, limit, credentials)
    const keys = status === 200 ? keysIn(body) : undefined
    if (!keys || isDeepStrictEqual(keys, last)) return last
    onKeys(keys)
    known.resolve(undefined)
    return keys
  }
  const follow = async () => {
    let last: Jwks | undefined
    while (!over.signal.aborted) {
      // It is not there yet, or is being started again: the keys that are known stay.
      last = await look(last).catch(() => last)
      const pauseMs = last ? everyMs : UNTIL_KNOWN_MS
      await delay(pauseMs, undefined, { signal: over.signal }).catch(() => undefined)
    }
    known.resolve(undefined)
  }
  const followed = follow()
  return {
    known: known.promise,
    async close() {
      over.abort()
      await followed
    },
  }
}

function keysIn(body: string): Jwks | undefined {
  const parsed: unknown = JSON.parse(body)
  const isSet =
    typeof parsed === 'object' && parsed !== null && 'keys' in parsed && Array.isArray(parsed.keys)
  return isSet ? (parsed as Jwks) : undefined // looked at just now
}
