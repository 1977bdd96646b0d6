import { randomBytes } from 'node:crypto'
import { FileMakerError } from './errors.ts'

const IDLE_MS = 15 * 60 * 1000

export interface Account {
  username: string
  password: string
}

export interface Sessions {
  readonly open: number
  /** A new token. @throws FileMakerError 212 for a wrong account, 812 when there are too many */
  login(authorization: string | undefined): string
  /** @throws FileMakerError 212 */
  authenticate(authorization: string | undefined): void
  /** Counts as use of the session. @throws FileMakerError 952 */
  use(authorization: string | undefined): void
  /** @throws FileMakerError 952 */
  logout(token: string): void
  expireAll(): void
}

/** Sessions of the Data API: gone 15 minutes after their last use. `now` in milliseconds. */
export function createSessions(account: Account, most: number, now: () => number): Sessions {
  const lastUse = new Map<string, number>()
  const sweep = () => {
    for (const [token, at] of lastUse) if (now() - at >= IDLE_MS) lastUse.delete(token)
  }
  const expected = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`
  const authenticate = (authorization: string | undefined) => {
    if (authorization !== expected) throw new FileMakerError('212', 401)
  }
  return {
    get open() {
      sweep()
      return lastUse.size
    },
    authenticate,
    login(authorization) {
      authenticate(authorization)
      sweep()
      if (lastUse.size >= most) throw new FileMakerError('812')
      const token = randomBytes(26).toString('hex')
      lastUse.set(token, now())
      return token
    },
    use(authorization) {
      sweep()
      const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1]
      if (token === undefined || !lastUse.has(token)) throw new FileMakerError('952', 401)
      lastUse.set(token, now())
    },
    logout(token) {
      sweep()
      if (!lastUse.delete(token)) throw new FileMakerError('952', 401)
    },
    expireAll() {
      lastUse.clear()
    },
  }
}
