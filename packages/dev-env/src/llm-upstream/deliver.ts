import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { constants, createGzip, gzipSync } from 'node:zlib'
import type { Answer } from './answer.ts'
import { faultOf } from './faults.ts'
import type { Fault } from './faults.ts'

/** Into how many pieces a whole body is cut when it shall break after some of them. */
const SLICES = 10

type Breaking = Extract<Fault, { after: number }>

export interface Watch {
  /** Called right before the connection is ended from this side. */
  broke: () => void
  /** From now on nothing is written any more. */
  held: () => void
  /** So many bytes of the body were written, before an encoding. */
  wrote: (bytes: number) => void
}

/** Sends the answer, broken as its faults say. */
export async function deliver(answer: Answer, response: ServerResponse, watch: Watch): Promise<void> {
  const { faults, reply } = answer
  await faultOf(faults, 'pause')?.before()
  const slow = faultOf(faults, 'slow-head')
  if (slow) await delay(slow.ms)
  if (faultOf(faults, 'no-first-byte')) {
    watch.held()
    return
  }
  if (faultOf(faults, 'no-head')) {
    reset(response, watch)
    return
  }

  const breaking = faults.find((fault): fault is Breaking => 'after' in fault)
  const isGzip = faultOf(faults, 'gzip') !== undefined
  if (typeof reply.body === 'string' || Buffer.isBuffer(reply.body)) {
    const text = typeof reply.body === 'string' ? odd(reply.body, faults) : reply.body
    const body = isGzip ? gzipSync(text) : Buffer.from(text)
    response.writeHead(reply.status, {
      ...reply.headers,
      ...(isGzip && { 'content-encoding': 'gzip' }),
      'content-length': body.length,
    })
    if (!breaking && !faultOf(faults, 'every')) {
      watch.wrote(body.length)
      response.end(body)
      return
    }
    response.flushHeaders()
    await sendPieces(slices(body), response, response, { answer, breaking, watch, isWhole: true })
    return
  }
  response.writeHead(reply.status, { ...reply.headers, ...(isGzip && { 'content-encoding': 'gzip' }) })
  response.flushHeaders()
  const zip = isGzip ? createGzip({ flush: constants.Z_SYNC_FLUSH }) : undefined
  zip?.pipe(response)
  await sendPieces(shaped(reply.body, faults), zip ?? response, response, {
    ...{ answer, breaking, watch, isWhole: false },
  })
}

interface Sending {
  answer: Answer
  breaking: Breaking | undefined
  watch: Watch
  /** Its length was announced. */
  isWhole: boolean
}

async function sendPieces(
  pieces: Iterable<Buffer>,
  sink: Writable,
  response: ServerResponse,
  sending: Sending,
): Promise<void> {
  const { answer, breaking } = sending
  const every = faultOf(answer.faults, 'every')?.ms
  let sent = 0
  for (const piece of pieces) {
    if (breaking && sent >= breaking.after) {
      breakOff(breaking, sink, response, sending)
      return
    }
    // Each piece is a write of its own, as those of a model are.
    await (every === undefined || sent === 0 ? nextTurn() : delay(every))
    if (response.destroyed) return
    sending.watch.wrote(piece.length)
    if (!sink.write(piece)) await drained(sink, response)
    sent += 1
  }
  sink.end()
}

function breakOff({ kind }: Breaking, sink: Writable, response: ServerResponse, sending: Sending): void {
  const { vendor, path } = sending.answer
  if (kind === 'stall') {
    sending.watch.held()
    return
  }
  if (kind === 'reset') {
    reset(response, sending.watch)
    return
  }
  if (kind === 'garbled') sink.write(Buffer.from('\u0000{{{ no frame\u00ff\n', 'latin1'))
  if (kind === 'error-frame' && !sending.isWhole) sink.write(vendor.errorFrame(path))
  if (!sending.isWhole) return void sink.end()
  // Less came than was announced: a clean end of the connection, in the middle of the body.
  sending.watch.broke()
  response.socket?.end()
}

function reset(response: ServerResponse, { broke }: Watch): void {
  broke()
  // What was written must have left before: a reset discards what has not.
  setImmediate(() => response.socket?.resetAndDestroy())
}

/** Resolves when more can be written, or nobody is there any more. */
function drained(sink: Writable, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      sink.off('drain', done)
      response.off('close', done)
      resolve()
    }
    sink.on('drain', done)
    response.on('close', done)
  })
}

function* slices(body: Buffer): Iterable<Buffer> {
  const size = Math.max(1, Math.ceil(body.length / SLICES))
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size)
}

/** Frames as their faults make them look: all the same to who reads events as the HTML standard says. */
function* shaped(frames: Iterable<string>, faults: readonly Fault[]): Iterable<Buffer> {
  const isCrlf = faultOf(faults, 'crlf') !== undefined
  const isTorn = faultOf(faults, 'torn') !== undefined
  const comment = faultOf(faults, 'comments') ? ': keep-alive\n\n' : ''
  for (const frame of frames) {
    const text = comment + odd(frame, faults)
    const bytes = Buffer.from(isCrlf ? text.replaceAll(/\r?\n/g, '\r\n') : text)
    if (!isTorn) yield bytes
    else for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
  }
}

/** JSON that does not survive being parsed and written again. */
function odd(text: string, faults: readonly Fault[]): string {
  if (!faultOf(faults, 'odd-json')) return text
  return text.replace('{', '{ "x_seed":18446744073709551615 ,"x_seed" : 1.0, "x_\\u00e9":1e400,')
}
