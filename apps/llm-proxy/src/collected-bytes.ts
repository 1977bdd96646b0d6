/** Below this a chunk is copied together with others; from here on it stays as it is. In bytes, as all here. */
const SMALL = 4 * 1024
const SLAB = 16 * 1024
const NOTHING = Buffer.alloc(0)

/** Bytes put together as they come. The memory goes by how many they are, and not by how many pieces they come in. */
export class CollectedBytes {
  length = 0
  #pieces: Buffer[] = []
  /** What small chunks are copied into: from `#start` to `#end` is not in `#pieces` yet, and behind it is free. */
  #slab = NOTHING
  #start = 0
  #end = 0

  add(chunk: Buffer): void {
    // Most bodies are of one piece: that is not copied.
    if (chunk.length >= SMALL || this.length === 0) {
      this.#close()
      this.#pieces.push(chunk)
    } else {
      if (chunk.length > this.#slab.length - this.#end) {
        this.#close()
        this.#slab = Buffer.allocUnsafeSlow(SLAB)
        this.#start = this.#end = 0
      }
      this.#end += chunk.copy(this.#slab, this.#end)
    }
    this.length += chunk.length
  }

  /** All of them. */
  whole(): Buffer {
    this.#close()
    const [only = NOTHING] = this.#pieces
    const whole = this.#pieces.length < 2 ? only : Buffer.concat(this.#pieces, this.length)
    this.#pieces = [whole]
    return whole
  }

  clear(): void {
    this.length = 0
    this.#pieces = []
    this.#slab = NOTHING
    this.#start = this.#end = 0
  }

  #close(): void {
    if (this.#end > this.#start) this.#pieces.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
