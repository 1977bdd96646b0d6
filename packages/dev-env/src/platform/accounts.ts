import { authService } from '@waybill/contracts'
import type { Secrets } from '../secrets.ts'

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
 * Two ordinary users, registered through the gateway, or logged in when they are there from an earlier run. Throws
 * when the gateway refuses, with what it said.
 */
export async function seedAccounts(gateway: string, secrets: Secrets): Promise<Account[]> {
  return Promise.all(
    USERNAMES.map(async (username) => {
      const password = secrets.accountPassword(username)
      const registered = await post(`${gateway}/auth/register`, {
        ...{ username, password },
        email: `${username}@example.test`,
      })
      if (registered.ok) {
        const { user_id, role } = authService.account.parse(await registered.json())
        return { username, password, user_id, role }
      }
      const wasThere = registered.status === 409
      const answer = wasThere ? await post(`${gateway}/auth/login`, { username, password }) : registered
      if (!answer.ok) {
        throw new Error(`The account ${username} could not be made: ${answer.status} ${await answer.text()}`)
      }
      const { user_id, role } = authService.session.parse(await answer.json())
      return { username, password, user_id, role }
    }),
  )
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': SEEDER_ADDRESS },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  })
}
