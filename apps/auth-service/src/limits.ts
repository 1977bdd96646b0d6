import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { comparableName } from './account-name.ts'
import { addressBlock } from './address-block.ts'

/** How much of one allowance is left after this attempt. */
export interface Quota {
  name: string
  limit: number
  windowSeconds: number
  remaining: number
  /** Until the window starts anew. */
  resetSeconds: number
  exceeded: boolean
}

export interface Limits {
  /** Counts an attempt to log in: against the address, then against the name, known or not. */
  logIn(name: string, address: string): Promise<Quota[]>
  /**
   * Counts an attempt against the user that the name was found to stand for, and gives back whether it may be made.
   * A user has two names, and one allowance for both. Nobody may be told: it would show whose names they are.
   */
  allowsAttempt(userId: string): Promise<boolean>
  /** Counts an attempt to register. */
  register(address: string): Promise<Quota[]>
}

export interface LimitsOptions {
  loginsPerMinute: number
  loginsPerMinuteAndAddress: number
  registrationsPerHour: number
}

/** Counts in the memory of this process: of several instances each counts for itself. */
export function createLimits(options: LimitsOptions): Limits {
  const byAddress = createCounter('address', options.loginsPerMinuteAndAddress, 60)
  const byName = createCounter('account', options.loginsPerMinute, 60)
  // Counting begins a little later than that of the name, and must not end later: the right password would be refused.
  const byUser = createCounter('user', options.loginsPerMinute, 59)
  const registrations = createCounter('registration', options.registrationsPerHour, 3600)
  return {
    async logIn(name, address) {
      const first = await byAddress(addressBlock(address))
      // An address that has spent its own attempts spends none of the account's any more.
      return first.exceeded ? [first] : [first, await byName(comparableName(name))]
    },
    allowsAttempt: async (userId) => !(await byUser(userId)).exceeded,
    register: async (address) => [await registrations(addressBlock(address))],
  }
}

function createCounter(name: string, limit: number, windowSeconds: number): (key: string) => Promise<Quota> {
  const limiter = new RateLimiterMemory({ points: limit, duration: windowSeconds })
  return async (key) => {
    const counted = await limiter.consume(key).catch((refusal: unknown) => {
      // The library rejects with its result when nothing is left, and with errors otherwise.
      if (refusal instanceof RateLimiterRes) return refusal
      throw refusal
    })
    return {
      ...{ name, limit, windowSeconds },
      remaining: counted.remainingPoints,
      resetSeconds: Math.max(1, Math.ceil(counted.msBeforeNext / 1000)),
      exceeded: counted.consumedPoints > limit,
    }
  }
}
