import { z } from 'zod'
import { endpoint } from './endpoint.ts'

/**
 * substrate-api: baskets and the raw text dumped into them. For services only; the workspace is the one in the
 * caller's token. `workspace_id` and `user_id` may be sent, as older callers do, but only if they say the same as the
 * token. A caller with a static service secret has no token: it must name the workspace, in the body or the query.
 */

const service = 'substrate-api' as const

/** Text as Postgres can keep it: no NUL, no half of a surrogate pair. */
const text = z.string().refine((value) => !value.includes('\0') && value.isWellFormed(), {
  error: 'must be well-formed Unicode without NUL',
})

const asOlderCallersSay = {
  workspace_id: text.max(256).optional(),
  user_id: text.max(256).optional(),
}

const CURSOR = /^(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z)_([0-9a-f-]{36})$/

/** Where the page before ended: its `next_cursor`. */
const cursor = z.string().refine(
  (value) => {
    const [, createdAt, id] = CURSOR.exec(value) ?? []
    return z.iso.datetime().safeParse(createdAt).success && z.uuid().safeParse(id).success
  },
  { error: 'is not a next_cursor' },
)

/** One page of a list, newest first. */
const page = (usual: number, most: number) => ({
  limit: z.coerce.number().int().min(1).max(most).default(usual),
  cursor: cursor.optional(),
})

export const basket = z.object({
  id: z.uuid(),
  workspace_id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'archived']),
  metadata: z.record(z.string(), z.unknown()),
  /** `user:<id>`, or `service:<name>` where nobody is behind it. */
  created_by: z.string(),
  created_at: z.iso.datetime(),
})
export type Basket = z.output<typeof basket>

export const newBasket = z.strictObject({
  id: z.uuid().optional(),
  name: text.trim().min(1).max(200),
  metadata: z.record(z.string(), z.unknown()).default({}),
  ...asOlderCallersSay,
})
export const basketId = z.object({ id: z.uuid() })
export const basketIds = z.array(z.uuid()).min(1).max(100)
export const basketPage = z.strictObject(page(50, 100))

/**
 * A caller that chooses the `id` may ask twice: the same basket again is answered 200, another one under that id 409.
 */
export const createBasket = endpoint({
  service,
  method: 'POST',
  path: '/api/baskets',
  summary: 'Create a basket in the workspace of the token',
  body: newBasket,
  output: basket,
  status: 201,
})

export const listBaskets = endpoint({
  service,
  method: 'GET',
  path: '/api/baskets',
  summary:
    'The baskets of the workspace, newest first; or, with `ids` (comma-separated), all of those that exist',
  query: basketPage.extend({
    ids: z
      .string()
      .transform((list) => list.split(','))
      .pipe(basketIds)
      .optional(),
    ...asOlderCallersSay,
  }),
  output: z.object({ items: z.array(basket), next_cursor: z.string().nullable() }),
})

export const getBasket = endpoint({
  service,
  method: 'GET',
  path: '/api/baskets/:id',
  summary: 'One basket of the workspace',
  params: basketId,
  query: z.strictObject(asOlderCallersSay),
  output: basket,
})

export const deleteBasket = endpoint({
  service,
  method: 'DELETE',
  path: '/api/baskets/:id',
  summary: 'Delete a basket with its dumps',
  params: basketId,
  query: z.strictObject(asOlderCallersSay),
  status: 204,
})

export const rawDump = z.object({
  id: z.uuid(),
  basket_id: z.uuid(),
  workspace_id: z.string(),
  content: z.string(),
  source: z.string().nullable(),
  created_by: z.string(),
  created_at: z.iso.datetime(),
})
export type RawDump = z.output<typeof rawDump>

export const createDump = endpoint({
  service,
  method: 'POST',
  path: '/api/dumps/new',
  summary: 'Put raw text into a basket',
  body: z.strictObject({
    basket_id: z.uuid(),
    content: text.min(1).max(500_000),
    source: text.max(500).optional(),
    ...asOlderCallersSay,
  }),
  output: rawDump,
  status: 201,
})

export const listDumps = endpoint({
  service,
  method: 'GET',
  path: '/api/baskets/:id/dumps',
  summary: 'The raw dumps of a basket, newest first',
  params: basketId,
  query: z.strictObject({ ...page(10, 20), ...asOlderCallersSay }),
  output: z.object({ items: z.array(rawDump), next_cursor: z.string().nullable() }),
})
