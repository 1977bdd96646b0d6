import type { RestAnswer } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'
import { z } from 'zod'
import type { StoredKey } from './key-store.ts'

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text))

/** Postgres writes bytes in hex: https://www.postgresql.org/docs/current/datatype-binary.html */
const bytes = z
  .string()
  .regex(/^\\x(?:[0-9a-f]{2})+$/)
  .transform((text) => Buffer.from(text.slice(2), 'hex'))

const row = z
  .object({
    id: z.string(),
    user_id: z.string(),
    provider: z.string(),
    name: z.string(),
    base_url: z.string().nullable(),
    sealed: bytes,
    kek: z.string(),
    last_four: z.string(),
    is_default: z.boolean(),
    created_at: time,
    rotated_at: time.nullable(),
    checked_at: time.nullable(),
  })
  .transform((kept): StoredKey => ({
    ...{
      id: kept.id,
      userId: kept.user_id,
      provider: kept.provider,
      name: kept.name,
      baseUrl: kept.base_url,
    },
    ...{ sealed: kept.sealed, kek: kept.kek, lastFour: kept.last_four, isDefault: kept.is_default },
    ...{ createdAt: kept.created_at, rotatedAt: kept.rotated_at, checkedAt: kept.checked_at },
  }))

/** The keys of an answer of PostgREST. @throws Problem upstream_failed when it holds something else */
export function readRows({ body }: RestAnswer): StoredKey[] {
  const parsed = z.array(row).safeParse(body)
  if (parsed.success) return parsed.data
  throw new Problem('upstream_failed', 'The store of the provider keys answered in an unexpected form.')
}

/** Bytes as PostgREST takes them. */
export function bytesOf(buffer: Buffer): string {
  return `\\x${buffer.toString('hex')}`
}
