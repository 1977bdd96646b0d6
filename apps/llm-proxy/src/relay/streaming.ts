import type { Readable } from 'node:stream'
import { asProblem, Problem, problemDocument } from '@waybill/service-kit'
import type { Protocol, StreamObserver } from '../protocols/protocol.ts'
import { createFrameSplitter } from '../protocols/sse.ts'
import type { Frame } from '../protocols/sse.ts'
import type { StreamTranslation } from '../translation/translation.ts'
import { createCopy } from './answer-copy.ts'
import { OWN_OF_ANSWER } from './header-policy.ts'
import { breakOff, pump } from './pump.ts'
import { withoutUsage } from './usage-filter.ts'
import type { Recipient } from './recipient.ts'

export interface StreamOptions {
  observer: StreamObserver
  /** The provider's frames in another protocol; as they are when undefined. */
  translation: StreamTranslation | undefined
  /** Whether the usage was asked for by us, and shall not be seen by the client. */
  hidesUsage: boolean
  /** The protocol that the client speaks, in which it is told of an error. */
  protocol: Protocol
  path: string
  name: string
  maxFrameBytes: number
  idleMs: number
  /** In milliseconds since the epoch. */
  deadline: number
  /** Up to how many bytes a copy of what the client got is kept; 0: none. */
  copyBytes: number
  /** When the first frame has gone out. */
  onFirstFrame?: (() => void) | undefined
}

export interface StreamEnd {
  /** What broke it off; undefined when it is whole. */
  problem: Problem | undefined
  /** All that the client got, when it is whole and not larger than the copy may be. */
  copy: Buffer | undefined
}

/** How long a client may take to read the error that its stream ends with, in milliseconds. */
const LAST_WORDS_MS = 2_000

/**
 * Forwards server-sent events as they come, every frame as soon as it is complete: the bytes are the provider's. A stream
 * that breaks, or ends without the protocol's own end mark, ends with an error that the vendor's SDK throws, and then the
 * connection is cut. The head must be set, and is sent at once.
 */
export async function forwardStream(
  body: Readable,
  res: Recipient,
  options: StreamOptions,
): Promise<StreamEnd> {
  const { observer, translation, hidesUsage, protocol, path, name, copyBytes } = options
  // What compresses on the way would hold events back.
  res.setHeader('Cache-Control', `${OWN_OF_ANSWER['cache-control']}, no-transform`)
  res.setHeader('X-Accel-Buffering', 'no')
  res.flushHeaders()

  // Of some streams no end mark is known: those count as ended from the start.
  const hasEndMark = !observer.ended()
  const splitter = createFrameSplitter(options)
  const copied = createCopy(copyBytes)
  let isFirst = true
  const read = (chunk: Buffer): Frame[] => {
    const frames = splitter.push(chunk)
    for (const { event, data } of frames) if (data !== undefined) observer.frame(event, data)
    return frames
  }
  const pass = (chunk: Buffer): Buffer | undefined => {
    const frames = read(chunk)
    if (frames.length === 0) return undefined
    if (isFirst) {
      isFirst = false
      options.onFirstFrame?.()
    }
    const passed = translation
      ? translated(frames, translation)
      : together(hidesUsage ? frames.flatMap((frame) => withoutUsage(frame) ?? []) : frames.map(rawOf), chunk)
    if (passed) copied.add(passed)
    return passed
  }
  let broken = await pump(body, res, { ...options, pass })
  let last = translation ? undefined : splitter.rest()
  if (!broken) {
    // A client dispatches nothing for a last event without its empty line, but its end mark is one all the same.
    try {
      const frames = read(EMPTY_LINE)
      if (translation) last = translated(frames, translation)
    } catch (error) {
      broken = asProblem(error)
    }
  }
  // What happens behind the end mark, be it that the client leaves, takes nothing away from the answer; its absence does,
  // however clean the end.
  const isWhole = observer.ended() && (hasEndMark || !broken)
  const problem = isWhole
    ? undefined
    : (broken ?? new Problem('upstream_failed', `${name} ended its stream midway.`))
  if (problem?.code === 'client_closed') res.destroy()
  else if (problem) {
    const frame = protocol.errorFrame(problemDocument(problem), path, observer.nextNumber?.())
    await breakOff(res, frame, LAST_WORDS_MS)
  } else {
    if (last) copied.add(last)
    res.end(last)
  }
  return { problem, copy: problem ? undefined : copied.whole() }
}

const rawOf = ({ raw }: Frame): Buffer => raw

const EMPTY_LINE = Buffer.from('\n\n')

function translated(frames: readonly Frame[], translation: StreamTranslation): Buffer | undefined {
  let text = ''
  for (const { event, data } of frames) if (data !== undefined) text += translation.frame(event, data)
  return text === '' ? undefined : Buffer.from(text)
}

/** One buffer; `chunk` itself when that is all of it. */
function together(pieces: readonly Buffer[], chunk: Buffer): Buffer | undefined {
  const [first] = pieces
  if (pieces.length < 2) return first
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const isChunk =
    length === chunk.length && first?.byteOffset === chunk.byteOffset && first.buffer === chunk.buffer
  return isChunk ? chunk : Buffer.concat(pieces, length)
}
