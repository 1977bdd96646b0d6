import { z } from 'zod'

/** `intent` stands before work that another store does, and is followed by a row with its outcome. */
export const auditOutcome = z.enum(['intent', 'success', 'denied', 'failure'])

/** What every service's audit says of one act; each adds how its rows are told apart. */
export const auditFields = {
  at: z.iso.datetime(),
  /** `user:<id>`, `service:<name>`, or `anonymous` where nobody has proved who they are. */
  actor: z.string(),
  /** Whom that service acted for. */
  on_behalf_of: z.string().nullable(),
  /** The services in between, nearest first. */
  actors: z.array(z.string()),
  via: z.string().nullable(),
  action: z.string(),
  resource: z.string(),
  outcome: auditOutcome,
  details: z.record(z.string(), z.unknown()),
  request_id: z.string().nullable(),
  trace_id: z.string().nullable(),
}
