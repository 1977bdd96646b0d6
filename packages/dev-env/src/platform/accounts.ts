import { authService } from '@waybill/contracts'
import type { Secrets } from '../secrets.ts'
import { ADMIN } from '../service-environment.ts'

/** A user to log in with. */
export interface Account {
  username: string
  password: string
  user_id: string
  role: string
}

const USERNAMES = ['demo', 'guest']

/** An address for documentation (RFC 5737): the limits per address stay whole for those who use the platform. */
const SEEDER_ADDRESS = '192.0.2.1'

/**
 * Two ordinary users, registered through the gateway, or logged in when they are there from an earlier run; last the
 * administrator that auth-service has made. Throws when the gateway refuses, with what it said.
 */
export async function seedAccounts(gateway: string, secrets: Secrets): Promise<Account[]> {
  const logIn = async (username: string): Promise<Account> => {
    const password = secrets.accountPassword(username)
    const answer = await post(`${gateway}/auth/login`, { username, password })
    if (!answer.ok) throw await refusal(username, answer)
    const { user_id, role } = authService.session.parse(await answer.json())
    return { username, password, user_id, role }
  }
  const register = async (username: string): Promise<Account> => {
    const password = secrets.accountPassword(username)
    const email = `${username}@example.test`
    const answer = await post(`${gateway}/auth/register`, { username, password, email })
    if (answer.status === 409) return logIn(username)
    if (!answer.ok) throw await refusal(username, answer)
    const { user_id, role } = authService.account.parse(await answer.json())
    return { username, password, user_id, role }
  }
  return Promise.all([...USERNAMES.map(register), logIn(ADMIN)])
}

async function refusal(username: string, answer: Response): Promise<Error> {
  return new Error(`The account ${username} could not be made: ${answer.status} ${await answer.text()}`)
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': SEEDER_ADDRESS },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  })
}
