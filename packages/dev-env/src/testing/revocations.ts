import type { authService } from '@waybill/contracts'

/** A revocation, in force for an hour unless said. */
export type TestRevocation = Omit<authService.Revocation, 'expires_at'> & { expires_at?: number }

export interface TestRevocations {
  add(revocation: TestRevocation): void
  /** Those after the cursor; with `wait` it waits for the first until `signal` aborts. */
  after(cursor: string | undefined, signal: AbortSignal, wait: boolean): Promise<authService.RevocationPage>
}

/** The feed of revocations as an issuer keeps it, in memory. */
export function createTestRevocations(): TestRevocations {
  const all: authService.Revocation[] = []
  const waiting = new Set<() => void>()
  const news = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const told = (): void => {
        waiting.delete(told)
        signal.removeEventListener('abort', gone)
        resolve()
      }
      const gone = (): void => {
        waiting.delete(told)
        reject(new Error('The follower has gone.'))
      }
      waiting.add(told)
      signal.addEventListener('abort', gone, { once: true })
    })

  return {
    add(revocation) {
      all.push({ expires_at: Math.floor(Date.now() / 1000) + 3600, ...revocation })
      for (const tell of waiting) tell()
    },
    async after(cursor, signal, wait) {
      signal.throwIfAborted()
      const from = Number(cursor ?? 0)
      if (wait && cursor !== undefined && from >= all.length) await news(signal)
      return { cursor: String(all.length), revocations: all.slice(from) }
    },
  }
}
