import type { Readable } from 'node:stream'
import { CollectedBytes } from '../collected-bytes.ts'

/** The beginning of a stream as text, of `most` bytes and a chunk at the most. The rest is given up. */
export async function readUpTo(stream: Readable, most: number): Promise<string> {
  const bytes = new CollectedBytes()
  for await (const chunk of stream) {
    bytes.add(chunk as Buffer) // a body without an encoding gives nothing else
    if (bytes.length >= most) break
  }
  return bytes.whole().toString()
}
