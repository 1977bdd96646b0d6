import { z } from 'zod'

/** Letters that can be seen: a control character in a name is a mistake or an attack on whoever prints it. */
export const printable = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters, nor half a character (a lone surrogate)')

/** Not truncated at any length, so longer ones are refused: hashing them would be work for nothing. In characters. */
const MAX_PASSWORD_CHARS = 1024
export const password = z.string().max(MAX_PASSWORD_CHARS)
/** One that is being chosen; what else is asked of it is the issuer's PASSWORD_POLICY. */
export const newPassword = password.min(8)

/** A permission or a wildcard: `tasks.read`, `tasks.*`, `*`. */
export const permission = z
  .string()
  .max(128)
  .regex(
    /^(?:\*|[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)*(?:\.\*)?)$/,
    'must be a permission such as tasks.read',
  )

export const roleName = z.enum(['admin', 'user', 'viewer'])

/** How many API calls a user may make is a matter of the tier; see API_CALLS_PER_MINUTE. */
export const TIERS = ['free', 'standard', 'premium'] as const
export const tierName = z.enum(TIERS)
export type Tier = (typeof TIERS)[number]

/** Whom a user belongs to beside itself. It stands in headers, claims and logs, so it is made of few letters. */
export const tenantId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'must be 1 to 128 letters, digits, dots, hyphens or underscores, the first a letter or a digit',
  )

/** A page of a list, and where the next one begins. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: printable.min(1).max(256).optional(),
}
export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() })

export const id = z.string().regex(/^[\w.-]{1,64}$/, 'must be an id')
