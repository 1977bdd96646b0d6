import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { DownstreamError } from '@waybill/http-client'
import { asProblem, Problem } from '@waybill/service-kit'

export interface PumpOptions {
  /** What goes to the client for `chunk`, at once; undefined for nothing. What it throws ends the answer. */
  pass: (chunk: Buffer) => Buffer | undefined
  /** The longest silence of the provider, in milliseconds. */
  idleMs: number
  /** When all must be over, in milliseconds since the epoch. */
  deadline: number
  /** What messages call the provider. */
  name: string
}

/**
 * Takes an answer to the client as it comes, and no faster than the client reads: what waits is a socket's buffer at each
 * end. Resolves when it is over: with undefined when all of it is out, else with what came between; the provider's
 * connection is then gone. Neither is `res` ended nor an error told.
 */
export async function pump(
  body: Readable,
  res: Writable,
  { pass, idleMs, deadline, name }: PumpOptions,
): Promise<Problem | undefined> {
  return new Promise((resolve) => {
    const finish = (problem?: Problem): void => {
      clearTimeout(idle)
      clearTimeout(total)
      body.off('data', onData).off('end', onEnd).off('close', onBroken)
      res.off('drain', onDrain).off('close', onGone)
      if (problem) body.destroy()
      resolve(problem)
    }
    const onData = (chunk: Buffer): void => {
      idle.refresh()
      try {
        const bytes = pass(chunk)
        if (bytes !== undefined && !res.write(bytes)) body.pause()
      } catch (error) {
        finish(asProblem(error))
      }
    }
    const onDrain = (): void => {
      idle.refresh()
      body.resume()
    }
    const onEnd = (): void => {
      finish()
    }
    const onBroken = (error?: unknown): void => {
      finish(ofBreak(error, name))
    }
    const onGone = (): void => {
      finish(new Problem('client_closed', 'The client went away.'))
    }
    const idle = setTimeout(() => {
      // It is the client who keeps us waiting: only the whole has a limit then.
      if (body.isPaused()) idle.refresh()
      else finish(new Problem('timeout', `${name} sent nothing for ${String(idleMs)} ms.`))
    }, idleMs)
    const total = setTimeout(
      () => {
        finish(new Problem('timeout', `The answer of ${name} was not complete in time.`))
      },
      Math.max(0, deadline - Date.now()),
    )
    res.on('drain', onDrain).once('close', onGone)
    // The listener for errors stays: one that comes late concerns nobody any more.
    body.on('data', onData).once('end', onEnd).on('error', onBroken).once('close', onBroken)
    if (res.destroyed) onGone()
    // It told of it before anybody listened.
    else if (body.destroyed && !body.readableEnded) onBroken(body.errored)
  })
}

/** Ends an answer so that it cannot pass for a whole one: `last` goes out if there is one, then the connection is cut. */
export async function breakOff(res: Writable, last: string | undefined, patienceMs: number): Promise<void> {
  if (res.destroyed) return
  const closed = once(res, 'close')
  // A client that reads nothing does not get it either.
  const timer = setTimeout(() => res.destroy(), patienceMs)
  if (last === undefined) res.destroy()
  else res.write(last, () => res.destroy())
  await closed
  clearTimeout(timer)
}

/** Nothing of the socket's error goes along. */
function ofBreak(error: unknown, name: string): Problem {
  if (error instanceof DownstreamError) return error
  return new Problem('upstream_failed', `${name} broke off its answer.`)
}
