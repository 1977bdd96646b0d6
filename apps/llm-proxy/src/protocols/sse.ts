import { Problem } from '@waybill/service-kit'
import { CollectedBytes } from '../collected-bytes.ts'

/** One event of a stream of server-sent events, as it came. */
export interface Frame {
  /** All of its bytes, with the empty line that ends it. */
  readonly raw: Buffer
  /** '' when it has none. */
  readonly event: string
  /** Undefined when there is nothing to dispatch: a comment, an empty line. */
  readonly data: string | undefined
}

export interface FrameSplitter {
  /**
   * The frames that `chunk` ends, in order; their bytes and those of `rest()`, put together, are the bytes that came.
   * @throws Problem upstream_failed when a frame is larger than the limit
   */
  push(chunk: Buffer): Frame[]
  /** The bytes of the frame that has not ended. A client dispatches nothing for them when the stream ends there. */
  rest(): Buffer
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const DATA = Buffer.from('data:')

/**
 * Splits server-sent events (HTML Living Standard 9.2) that are cut at any byte. A frame ends with its empty line: when a
 * CR ends it, an LF that comes later still is counted to the next frame, so that no event waits for another one.
 */
export function createFrameSplitter({ maxFrameBytes }: { maxFrameBytes: number }): FrameSplitter {
  const kept = new CollectedBytes()
  let lineIsEmpty = true
  let afterCr = false
  let isFirst = true

  const check = (bytes: number) => {
    if (bytes <= maxFrameBytes) return
    const limit = `${String(maxFrameBytes)} bytes, the most that are taken (MAX_FRAME_BYTES)`
    throw new Problem('upstream_failed', `An event of the stream has more than ${limit}.`)
  }
  const take = (last: Buffer): Frame => {
    check(kept.length + last.length)
    const raw = kept.length === 0 ? last : Buffer.concat([kept.whole(), last])
    kept.clear()
    const frame = new LazyFrame(raw, isFirst)
    isFirst = false
    return frame
  }

  return {
    push(chunk) {
      const frames: Frame[] = []
      let start = 0
      let at = 0
      // JSON has no line breaks of its own, so lines are long and whole lines are leapt over.
      const hasCr = chunk.includes(CR)
      while (at < chunk.length) {
        const byte = chunk[at]
        if (byte === LF && afterCr) {
          afterCr = false
          at++
          continue
        }
        afterCr = byte === CR
        if (byte !== LF && byte !== CR) {
          lineIsEmpty = false
          at = endOfLine(chunk, at, hasCr)
          continue
        }
        at++
        if (!lineIsEmpty) {
          lineIsEmpty = true
          continue
        }
        if (byte === CR && chunk[at] === LF) {
          afterCr = false
          at++
        }
        frames.push(take(chunk.subarray(start, at)))
        start = at
      }
      if (start < chunk.length) {
        check(kept.length + chunk.length - start)
        kept.add(start === 0 ? chunk : chunk.subarray(start))
      }
      return frames
    },
    rest: () => kept.whole(),
  }
}

/** Where the line that `at` is in ends: at its LF or CR, or with the chunk. */
function endOfLine(chunk: Buffer, at: number, hasCr: boolean): number {
  const lf = chunk.indexOf(LF, at)
  const end = lf === -1 ? chunk.length : lf
  if (!hasCr) return end
  const cr = chunk.subarray(at, end).indexOf(CR)
  return cr === -1 ? end : at + cr
}

/** Decodes its text when it is asked for: most frames are passed on unread. */
class LazyFrame implements Frame {
  readonly raw: Buffer
  readonly #isFirst: boolean
  #fields: { event: string; data: string | undefined } | undefined

  constructor(raw: Buffer, isFirst: boolean) {
    this.raw = raw
    this.#isFirst = isFirst
  }

  get event(): string {
    return this.#read().event
  }

  get data(): string | undefined {
    return this.#read().data
  }

  #read() {
    this.#fields ??= readFields(this.raw, this.#isFirst)
    return this.#fields
  }
}

/** HTML Living Standard 9.2.6; `id` and `retry` are for a client that connects again. */
function readFields(raw: Buffer, isFirst: boolean): { event: string; data: string | undefined } {
  const only = onlyDataLine(raw)
  if (only !== undefined) return { event: '', data: only }
  // Only the mark at the very beginning is one; a U+FEFF further on is text, and TextDecoder would drop it too.
  const text = raw.toString(
    'utf8',
    isFirst && raw.readUIntBE(0, Math.min(3, raw.length)) === 0xefbbbf ? 3 : 0,
  )
  let event = ''
  let data: string | undefined
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':')
    if (line === '' || colon === 0) continue
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'data') data = data === undefined ? value : `${data}\n${value}`
    else if (name === 'event') event = value
  }
  return { event, data }
}

/** The usual frame, `data: {...}` and two LF, read without splitting it. */
function onlyDataLine(raw: Buffer): string | undefined {
  const end = raw.length - 2
  if (raw[4] !== COLON || raw[end] !== LF || !raw.subarray(0, 5).equals(DATA)) return undefined
  if (raw.indexOf(LF) !== end || raw.includes(CR)) return undefined
  return raw.toString('utf8', raw[5] === SPACE ? 6 : 5, end)
}
