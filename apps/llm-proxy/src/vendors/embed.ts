import { Problem } from '@waybill/service-kit'
import { listOf, objectOf, parseJson } from '../protocols/json.ts'
import type { ResolvedModel } from '../relay/resolve-model.ts'
import type { Vendors } from './ask.ts'
import { readAll } from './read-all.ts'

export interface EmbedOptions {
  vendors: Vendors
  /** Of an answer, in bytes. */
  maxAnswerBytes: number
}

/**
 * Vectors of a vendor's model, one per text and in order, made to length 1.
 * @throws Problem upstream_failed when they are not that
 */
export async function embedWith(
  target: ResolvedModel,
  { texts, dimensions }: { texts: readonly string[]; dimensions?: number | undefined },
  { vendors, maxAnswerBytes }: EmbedOptions,
  signal: AbortSignal,
): Promise<number[][]> {
  const { name } = target.provider
  const body = { input: texts, ...(dimensions !== undefined && { dimensions }) }
  const answer = await vendors.ask('/embeddings', target, body, signal)
  const { data } = objectOf(parseJson(await readAll(answer, maxAnswerBytes, name)))
  const vectors: (number[] | undefined)[] = texts.map(() => undefined)
  for (const [at, item] of listOf(data).map(objectOf).entries()) {
    vectors[typeof item.index === 'number' ? item.index : at] = unitVector(item.embedding)
  }
  const length = vectors[0]?.length
  return vectors.map((vector) => {
    if (vector && vector.length === length && vectors.length === texts.length) return vector
    throw new Problem('upstream_failed', `${name} answered with something that is not one vector per text.`)
  })
}

/** Undefined when it is no list of numbers, or has no direction. */
function unitVector(value: unknown): number[] | undefined {
  const numbers = listOf(value).filter((number) => typeof number === 'number')
  const length = Math.hypot(...numbers)
  if (numbers.length !== listOf(value).length || !(length > 0) || !Number.isFinite(length)) return undefined
  return numbers.map((number) => number / length)
}
