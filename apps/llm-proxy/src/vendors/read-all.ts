import { Problem } from '@waybill/service-kit'
import { CollectedBytes } from '../collected-bytes.ts'
import type { CapturedAnswer } from './captured-answer.ts'

/**
 * The whole body as text.
 * @throws Problem upstream_failed when it breaks off or has more than `limit` bytes
 */
export async function readAll(answer: CapturedAnswer, limit: number, provider: string): Promise<string> {
  const bytes = new CollectedBytes()
  for await (const piece of answer.pieces()) {
    if (bytes.length + piece.length > limit) {
      throw new Problem('upstream_failed', `${provider} answered with more than ${String(limit)} bytes.`)
    }
    bytes.add(piece)
  }
  return bytes.whole().toString('utf8')
}
