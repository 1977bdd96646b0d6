import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Http2Session } from 'node:http2'

export interface RawHeaders {
  /** Hears of the calls that begin from now on. */
  open(): void
  /**
   * The headers of the call that begins at this moment, as they came: name, value, name, value.
   * @throws Error outside the beginning of a call
   */
  ofBeginningCall(): readonly string[]
  close(): void
}

const STREAM_CREATED = 'http2.server.stream.created'

/**
 * What a client sent, before it becomes metadata: node keeps the first of two `authorization` headers and joins others
 * with a comma, so that metadata cannot tell who sent a credential twice. @grpc/grpc-js does not hand raw headers on,
 * but node emits them with each stream, and the call begins while that is being heard.
 */
export function captureRawHeaders(): RawHeaders {
  const heard = new WeakSet<Http2Session>()
  let beginning: readonly string[] | undefined

  const onStream = (...[, , , raw]: unknown[]): void => {
    beginning = Array.isArray(raw) ? raw.map(String) : undefined
    queueMicrotask(() => {
      beginning = undefined
    })
  }
  // Told of before the stream is emitted, so that the first one of a session is heard too.
  const onCreated = (message: unknown): void => {
    const { session } = (message as { stream: { session?: Http2Session } }).stream // node's documented message
    if (!session || heard.has(session)) return
    heard.add(session)
    session.prependListener('stream', onStream)
  }
  return {
    open() {
      subscribe(STREAM_CREATED, onCreated)
    },
    ofBeginningCall() {
      if (!beginning) throw new Error('the raw headers of this call were not heard')
      return beginning
    },
    close() {
      unsubscribe(STREAM_CREATED, onCreated)
    },
  }
}
