import { addressBlock } from '@waybill/service-kit'
import type { Quota, Quotas } from '@waybill/service-kit'
import { comparableName } from './account-name.ts'

export interface Limits {
  /** Counts an attempt to log in: against the address, then against the name, known or not. */
  logIn(name: string, address: string): Promise<Quota[]>
  /**
   * Counts an attempt against the user that the name was found to stand for (`nobody` where it is nobody's), and gives
   * back whether it may be made. A user has two names, and one allowance for both. Nobody may be told: it would show whose
   * names they are.
   */
  allowsAttempt(userId: string): Promise<boolean>
  /** Counts an attempt to register that neither its form nor the password policy refuses. */
  register(address: string): Promise<Quota[]>
  /** Counts a request of which the service did not prove who it is. */
  clientFailure(address: string): Promise<Quota>
  /** Counts an attempt to change the password of a user who is logged in. */
  changePassword(userId: string): Promise<Quota[]>
}

export interface LimitsOptions {
  quotas: Quotas
  loginsPerMinute: number
  loginsPerMinuteAndAddress: number
  registrationsPerHour: number
  clientFailuresPerMinute: number
}

export function createLimits({ quotas, ...options }: LimitsOptions): Limits {
  const byAddress = quotas.counter('address', options.loginsPerMinuteAndAddress, 60)
  const byName = quotas.counter('account', options.loginsPerMinute, 60)
  // Counting begins a little later than that of the name, and must not end later: the right password would be refused.
  const byUser = quotas.counter('user', options.loginsPerMinute, 59)
  const registrations = quotas.counter('registration', options.registrationsPerHour, 3600)
  const clientFailures = quotas.counter('client', options.clientFailuresPerMinute, 60)
  const changes = quotas.counter('password-change', options.loginsPerMinute, 60)
  return {
    async logIn(name, address) {
      const first = await byAddress(addressBlock(address))
      // An address that has spent its own attempts spends none of the account's any more.
      return first.exceeded ? [first] : [first, await byName(comparableName(name))]
    },
    allowsAttempt: async (userId) => !(await byUser(userId)).exceeded,
    register: async (address) => [await registrations(addressBlock(address))],
    clientFailure: (address) => clientFailures(addressBlock(address)),
    changePassword: async (userId) => [await changes(userId)],
  }
}
