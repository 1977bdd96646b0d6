import { createHash } from 'node:crypto'
import { wordsOf } from '../asked.ts'
import type { Asked } from '../asked.ts'
import { json } from '../reply.ts'
import type { Reply } from '../reply.ts'

const DIMENSIONS = 16

/** POST /v1/embeddings: numbers, or with `encoding_format: base64` 32-bit floats, little-endian. */
export function embeddings({ body, model }: Asked): Reply {
  const { input, encoding_format: format, dimensions } = body
  const texts = (Array.isArray(input) ? input : [input]).map(String)
  const size = typeof dimensions === 'number' ? dimensions : DIMENSIONS
  const tokens = texts.reduce((sum, text) => sum + wordsOf(text).length, 0)
  return json(
    {
      object: 'list',
      data: texts.map((text, index) => {
        const vector = vectorOf(text, size)
        const embedding = format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
        return { object: 'embedding', index, embedding }
      }),
      model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    },
    { indent: 2 },
  )
}

/** From -1 to 1, by the text alone. */
export function vectorOf(text: string, size = DIMENSIONS): Float32Array {
  const digest = createHash('sha256').update(text).digest()
  return Float32Array.from({ length: size }, (_, at) => (digest[at % digest.length] ?? 0) / 127.5 - 1)
}
