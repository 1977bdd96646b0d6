import type { Readable } from 'node:stream'

/** The beginning of a stream as text, of `most` bytes and a chunk at the most. The rest is given up. */
export async function readUpTo(stream: Readable, most: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const part = chunk as Buffer // a body without an encoding gives nothing else
    chunks.push(part)
    bytes += part.length
    if (bytes >= most) break
  }
  return Buffer.concat(chunks).toString()
}
