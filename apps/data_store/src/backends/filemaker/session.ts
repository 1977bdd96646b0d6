import { CODE, FileMakerFault, hasCode } from './fault.ts'

export interface Session {
  /**
   * Runs `work` with the token of a session, which is opened when there is none. When FileMaker does not know the token any
   * more (952), nothing was done yet, and `work` runs once more with a new one.
   */
  run<T>(work: (token: string) => Promise<T>): Promise<T>
  /** Logs out. */
  close(): Promise<void>
}

interface SessionOptions {
  login: () => Promise<string>
  logout: (token: string) => Promise<void>
  /** In milliseconds. */
  now?: () => number
}

/** An account that is refused is not tried again for so long: a wrong password in a loop would get it locked. */
const REFUSED_MS = 10_000

/** One session of the Data API for all of the process: it dies 15 minutes after its last use. */
export function createSession({ login, logout, now = Date.now }: SessionOptions): Session {
  let current: Promise<string> | undefined
  let refusedUntil = 0

  /** The token, by one login for all who wait for it. */
  const token = (): Promise<string> => {
    if (now() < refusedUntil) return Promise.reject(new FileMakerFault(CODE.wrongAccount))
    if (current) return current
    const opened = login()
    current = opened
    opened.catch((error: unknown) => {
      if (current === opened) current = undefined
      if (hasCode(error, CODE.wrongAccount)) refusedUntil = now() + REFUSED_MS
    })
    return opened
  }

  return {
    async run(work) {
      const first = token()
      try {
        return await work(await first)
      } catch (error) {
        if (!hasCode(error, CODE.badToken)) throw error
        // Somebody else may have renewed it meanwhile.
        if (current === first) current = undefined
        return work(await token())
      }
    },
    async close() {
      const last = await current?.catch(() => undefined)
      current = undefined
      if (last !== undefined) await logout(last)
    },
  }
}
