import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
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
  /** Counts an attempt to log in: against the address, then against the account, known or not. */
  logIn(name: string, address: string): Promise<Quota[]>
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
  const byAccount = createCounter('account', options.loginsPerMinute, 60)
  const registrations = createCounter('registration', options.registrationsPerHour, 3600)
  return {
    async logIn(name, address) {
      const first = await byAddress(addressBlock(address))
      // An address that has spent its own attempts spends none of the account's any more.
      return first.exceeded ? [first] : [first, await byAccount(name.toLowerCase())]
    },
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
