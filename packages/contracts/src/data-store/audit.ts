import { z } from 'zod'
import { auditFields, auditOutcome } from '../audit.ts'
import { endpoint } from '../endpoint.ts'
import { SERVICE } from './names.ts'

/** What was done to records, by whom and for whom; never their contents. */
export const auditRow = z.object({
  /** A number, as text: later rows have greater ones. */
  id: z.string(),
  ...auditFields,
})
export type AuditRow = z.output<typeof auditRow>

/** A backend, a collection in it or a record of that: `postgres/notes/7f3a`. */
export const auditedResource = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,31}(\/[a-z][a-z0-9_-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9._:-]{0,127})?)?$/,
    'must be backend, backend/collection or backend/collection/id',
  )

export const listAudit = endpoint({
  service: SERVICE,
  method: 'GET',
  path: '/v1/audit',
  summary: "What was done to the calling user's records, newest first; with audit.read, to anybody's",
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50),
    /** The `next_cursor` of the page before. */
    cursor: z.string().max(300).optional(),
    /** Only this and what is in it; of a record also what was done to it together with others. */
    resource: auditedResource.optional(),
    outcome: auditOutcome.optional(),
    /** `record.create`, say. */
    action: z
      .string()
      .regex(/^[a-z_]{1,32}(\.[a-z_]{1,32}){1,2}$/, 'must be a kind of thing and what is done to it')
      .optional(),
    request_id: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'is not the id of a request')
      .optional(),
    /** `user:<id>`: whose rows, the caller's own unless said. Somebody else's want audit.read. */
    subject: z
      .string()
      .regex(/^(user|service):[^\0]{1,256}$/, 'must be user:<id> or service:<name>')
      .optional(),
  }),
  output: z.object({ items: z.array(auditRow), next_cursor: z.string().nullable() }),
  permission: 'memory.read',
})
