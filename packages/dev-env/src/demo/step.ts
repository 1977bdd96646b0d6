import { randomBytes } from 'node:crypto'
import type { ServiceName } from '@waybill/contracts'
import type { PerService } from '../services.ts'
import type { Answer } from './caller.ts'

/** What the steps learn from each other. */
export interface DemoState {
  services: PerService<string>
  users: Record<'first' | 'second', { username: string; password: string; token?: string; id?: string }>
}

/** One request of the demo: how it is made, which way it must go, and what must come back. */
export interface Step {
  name: string
  /** For a person who watches. */
  says: string
  /** The services that it must pass, each called by the one before. */
  way: readonly ServiceName[]
  /** Who every hop of the way must know it is for; nobody where no credential is needed, or none is accepted. */
  as?: 'first' | 'second'
  /** Goes around the gateway, which nobody can where services let in only who has a certificate. */
  needsClear?: boolean
  send: (state: DemoState) => Promise<Answer>
  /** What must hold of the answer, each with its words; may keep what later steps need. */
  expect: (answer: Answer, state: DemoState) => Record<string, boolean>
}

export function newState(services: PerService<string>): DemoState {
  const user = (name: string) => ({
    username: `${name}-${randomBytes(3).toString('hex')}`,
    password: randomBytes(18).toString('base64url'),
  })
  return { services, users: { first: user('first'), second: user('second') } }
}
