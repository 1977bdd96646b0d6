import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import { CollectedBytes } from '../collected-bytes.ts'
import { createCopy } from './answer-copy.ts'
import type { AnswerCopy } from './answer-copy.ts'
import { breakOff, pump } from './pump.ts'
import type { Recipient } from './recipient.ts'

export interface WholeOptions {
  /** Up to how many bytes a copy is kept; 0: none. */
  copyBytes: number
  name: string
  idleMs: number
  /** In milliseconds since the epoch. */
  deadline: number
}

export interface WholeEnd {
  problem: Problem | undefined
  /** What has come of the body. */
  copy: AnswerCopy
}

/**
 * Forwards an answer that is no stream of events, byte for byte and as it comes. The head, which must be set, goes out with
 * the first byte: a provider that breaks before it can still be told properly.
 * @throws Problem when nothing has gone out; else the connection is cut, so that half an answer cannot pass for a whole one
 */
export async function forwardWhole(
  body: Readable,
  res: Recipient,
  { copyBytes, ...options }: WholeOptions,
): Promise<WholeEnd> {
  const copy = createCopy(copyBytes)
  const pass = (chunk: Buffer): Buffer => {
    copy.add(chunk)
    return chunk
  }
  const problem = await pump(body, res, { ...options, pass })
  if (problem && !res.headersSent) throw problem
  if (problem) await breakOff(res, undefined, 0)
  else res.end()
  return { problem, copy }
}

/**
 * The whole of an answer that has to be read before anything of it can be said.
 * @throws Problem upstream_failed when it breaks or has more than `copyBytes`, timeout, client_closed
 */
export async function readAnswer(
  body: Readable,
  res: Recipient,
  { copyBytes, ...options }: WholeOptions,
): Promise<Buffer> {
  const bytes = new CollectedBytes()
  const pass = (chunk: Buffer): undefined => {
    if (bytes.length + chunk.length > copyBytes) throw tooLong(options.name, copyBytes)
    bytes.add(chunk)
  }
  const problem = await pump(body, res, { ...options, pass })
  if (problem) throw problem
  return bytes.whole()
}

function tooLong(name: string, limit: number): Problem {
  return new Problem('upstream_failed', `${name} answered with more than ${String(limit)} bytes.`)
}
