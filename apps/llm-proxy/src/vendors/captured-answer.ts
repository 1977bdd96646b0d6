import { Writable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import type { Recipient } from '../relay/recipient.ts'

/** A piece of the answer, and how to tell that it was taken. */
interface Piece {
  bytes: Buffer
  taken(): void
}

/** An answer that is read in this process, piece by piece and no faster than it is read. */
export class CapturedAnswer extends Writable implements Recipient {
  statusCode = 200
  headersSent = false
  /** Who answers, by the name that the model has on `/v1/*`: known with the head. */
  answeredBy: { provider: string; model: string } | undefined
  readonly #headers = new Map<string, string | number>()
  #piece: Piece | undefined
  #hasEnded = false
  #failure: Error | undefined
  #wake: () => void = () => undefined

  setHeader(name: string, value: string | number): void {
    this.#headers.set(name.toLowerCase(), value)
  }

  getHeader(name: string): string | undefined {
    const value = this.#headers.get(name.toLowerCase())
    return value === undefined ? undefined : String(value)
  }

  flushHeaders(): void {
    this.headersSent = true
    this.#wake()
  }

  /** Whatever kept the answer from coming, in place of it. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error('The answer was given up.', { cause: error })
    this.destroy()
  }

  /** Resolves when the status and the headers are what they will be. Throws what kept the answer from coming. */
  async head(): Promise<void> {
    while (!this.headersSent && !this.#isOver()) await this.#next()
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * The body. Not to read on gives the answer up.
   * @throws Problem upstream_failed when it breaks off, or what kept it from coming
   */
  async *pieces(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const piece = this.#piece
        if (piece) {
          this.#piece = undefined
          yield piece.bytes
          piece.taken()
        } else if (this.#hasEnded) return
        else if (this.destroyed)
          throw this.#failure ?? new Problem('upstream_failed', 'The answer broke off.')
        else await this.#next()
      }
    } finally {
      this.destroy()
    }
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, taken: () => void): void {
    this.headersSent = true
    this.#piece = { bytes, taken }
    this.#wake()
  }

  override _final(done: () => void): void {
    this.headersSent = true
    this.#hasEnded = true
    this.#wake()
    done()
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.#wake()
    done()
  }

  #isOver(): boolean {
    return this.#hasEnded || this.destroyed
  }

  #next(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }
}
