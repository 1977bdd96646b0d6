import { Problem } from '@waybill/service-kit'
import type { CapturedAnswer } from './captured-answer.ts'

/**
 * The whole body as text.
 * @throws Problem upstream_failed when it breaks off or has more than `limit` bytes
 */
export async function readAll(answer: CapturedAnswer, limit: number, provider: string): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of answer.pieces()) {
    length += piece.length
    if (length > limit) {
      throw new Problem('upstream_failed', `${provider} answered with more than ${String(limit)} bytes.`)
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces, length).toString('utf8')
}
