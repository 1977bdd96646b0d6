import type { IncomingMessage } from 'node:http'

/** What became of a request: `aborted` is the client's doing, `broken` this side's. */
export type Outcome = 'open' | 'answered' | 'aborted' | 'broken'

/** A request as it came in. */
export interface SeenRequest {
  method: string
  /** As it stood on the wire. */
  url: string
  headers: IncomingMessage['headers']
  /** Names and values as they stood on the wire, one after the other. */
  rawHeaders: readonly string[]
  /** The bytes that came. */
  body: Buffer
  model: string
  /** The last four characters of the key. */
  key: string
  outcome: Outcome
  /** Nothing more will come: `no-first-byte` or `stall` has it. */
  isHeld: boolean
  /** Bytes of the answer's body that were written so far. */
  sent: number
}

export interface SeenList {
  list: readonly SeenRequest[]
  /** Adds a request; the oldest goes when there are too many. */
  add(request: IncomingMessage): SeenRequest
  /** Something that `until` may wait for has changed. */
  changed(): void
  /** Resolves when it holds; rejects with what was seen when it does not within `timeoutMs`. */
  until(holds: () => boolean, timeoutMs: number): Promise<void>
  forget: () => void
}

/** The last `most` requests. */
export function createSeenList(most: number): SeenList {
  const list: SeenRequest[] = []
  const waiting = new Set<() => void>()
  return {
    list,
    add({ method = '', url = '', headers, rawHeaders }) {
      const seen: SeenRequest = {
        ...{ method, url, headers, rawHeaders, body: Buffer.alloc(0) },
        ...{ model: '', key: '', outcome: 'open', isHeld: false, sent: 0 },
      }
      list.push(seen)
      if (list.length > most) list.shift()
      return seen
    },
    changed() {
      for (const look of waiting) look()
    },
    until(holds, timeoutMs) {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (!holds()) return
          waiting.delete(look)
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(() => {
          waiting.delete(look)
          const what = list.map(({ method, url, model, outcome }) => `${method} ${url} ${model} ${outcome}`)
          reject(new Error(`It did not come so within ${timeoutMs} ms: ${String(holds)}\n${what.join('\n')}`))
        }, timeoutMs)
        waiting.add(look)
        look()
      })
    },
    forget() {
      list.length = 0
    },
  }
}
