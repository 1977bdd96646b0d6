import { once } from 'node:events'
import type { Response } from 'express'

/**
 * Answers with server-sent events (HTML Living Standard 9.2): the headers at once, then each frame as it comes, never more
 * than the client takes. A stream that fails ends with the frames of `onFailure`, so that it cannot be mistaken for a whole
 * one; when the client is gone there is nobody to tell.
 */
export async function sendEvents(
  res: Response,
  frames: AsyncIterable<string>,
  onFailure: (error: unknown) => string,
  signal: AbortSignal,
): Promise<void> {
  res.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'private, no-store, no-transform',
    'X-Accel-Buffering': 'no',
  })
  res.flushHeaders()
  try {
    for await (const frame of frames) {
      signal.throwIfAborted()
      if (!res.write(frame)) await once(res, 'drain', { signal })
    }
  } catch (error) {
    if (signal.aborted || res.destroyed) throw error
    res.write(onFailure(error))
  }
  res.end()
}

/** One frame; `data` is one line, since JSON has no line breaks of its own. */
export function eventFrame(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`
}
