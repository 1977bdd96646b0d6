import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import { CollectedBytes } from '../collected-bytes.ts'

/** Whether the request says that its body is JSON. */
export function isJson({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(headers['content-type'] ?? '')
}

export function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** @throws Problem unsupported_media_type for a body that is compressed: it could not be judged */
export function refuseEncoded({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Problem('unsupported_media_type', 'Bodies are taken without Content-Encoding only.')
  }
}

/**
 * The whole body.
 * @throws Problem payload_too_large as soon as there are more than `limitBytes`, client_closed when it does not end; the
 * signal's reason when it aborts, since a client may stop to send and stay
 */
export async function readWhole(
  req: IncomingMessage,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  signal.throwIfAborted()
  // It broke off before anybody read it: no event comes any more, and all that the call holds would be held for ever.
  if (!req.readable) throw brokenOff()
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const bytes = new CollectedBytes()
  const onData = (chunk: Buffer): void => {
    bytes.add(chunk)
    if (bytes.length <= limitBytes) return
    finish()
    // What is still to come is read and dropped, so that the answer can be.
    req.resume()
    reject(tooLarge(limitBytes))
  }
  const onEnd = (): void => {
    resolve(bytes.whole())
    finish()
  }
  const onError = (): void => {
    finish()
    reject(brokenOff())
  }
  const onAbort = (): void => {
    finish()
    reject(signal.reason as Error) // what the service aborts with is a Problem
  }
  // The request lives as long as its answer, and whatever listens to it: nothing there shall hold the body.
  const finish = (): void => {
    bytes.clear()
    req.off('data', onData).off('end', onEnd).off('error', onError)
    signal.removeEventListener('abort', onAbort)
  }
  req.on('data', onData).once('end', onEnd).once('error', onError)
  signal.addEventListener('abort', onAbort, { once: true })
  return promise
}

/**
 * The body as it comes; it fails with payload_too_large behind `limitBytes`, and with client_closed when it does not end.
 * It takes nothing from the request before it is read itself: the call waits for its tokens and its key first, and until
 * then nobody would hear a failure.
 */
export function limited(req: IncomingMessage, limitBytes: number): Readable {
  let length = 0
  let isBegun = false
  const begin = (): void => {
    isBegun = true
    if (req.readable) req.once('error', onError).pipe(body)
    else onError()
  }
  const onError = (): void => {
    body.destroy(brokenOff())
  }
  const body = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      length += chunk.length
      if (length > limitBytes) callback(tooLarge(limitBytes))
      else callback(null, chunk)
    },
    read(size) {
      if (!isBegun) begin()
      Transform.prototype._read.call(this, size)
    },
  })
  return body
}

function brokenOff(): Problem {
  return new Problem('client_closed', 'The request ended before its body was complete.')
}

function tooLarge(limitBytes: number): Problem {
  return new Problem(
    'payload_too_large',
    `The body is larger than the ${String(limitBytes)} bytes that this route accepts.`,
  )
}
