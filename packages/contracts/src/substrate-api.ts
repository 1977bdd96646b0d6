import { z } from 'zod'
import { endpoint } from './endpoint.ts'

const service = 'substrate-api' as const

export const basket = z.object({
  id: z.uuid(),
  workspace_id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'archived']),
  metadata: z.record(z.string(), z.unknown()),
  created_by: z.string(),
  created_at: z.iso.datetime(),
})
export type Basket = z.output<typeof basket>

/**
 * The workspace is the one in the caller's token. `workspace_id` and `user_id` may be sent, as older callers do, but
 * only if they say the same as the token.
 */
export const createBasket = endpoint({
  service,
  method: 'POST',
  path: '/api/baskets',
  summary: 'Create a basket in the workspace of the token',
  body: z.strictObject({
    name: z.string().trim().min(1).max(200),
    metadata: z.record(z.string(), z.unknown()).default({}),
    workspace_id: z.string().optional(),
    user_id: z.string().optional(),
  }),
  output: basket,
  status: 201,
})

export const listBaskets = endpoint({
  service,
  method: 'GET',
  path: '/api/baskets',
  summary: 'The baskets of the workspace, newest first; `ids` (comma-separated) fetches a batch',
  query: z.strictObject({
    ids: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(z.uuid()).min(1).max(100))
      .optional(),
    limit: z.coerce.number().int().min(1).max(100).default(50),
  }),
  output: z.object({ items: z.array(basket) }),
})

export const getBasket = endpoint({
  service,
  method: 'GET',
  path: '/api/baskets/:id',
  summary: 'One basket of the workspace',
  params: z.object({ id: z.uuid() }),
  output: basket,
})

export const deleteBasket = endpoint({
  service,
  method: 'DELETE',
  path: '/api/baskets/:id',
  summary: 'Delete a basket with its dumps',
  params: z.object({ id: z.uuid() }),
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

export const createDump = endpoint({
  service,
  method: 'POST',
  path: '/api/dumps/new',
  summary: 'Put raw text into a basket',
  body: z.strictObject({
    basket_id: z.uuid(),
    content: z.string().min(1).max(500_000),
    source: z.string().max(500).optional(),
    workspace_id: z.string().optional(),
    user_id: z.string().optional(),
  }),
  output: rawDump,
  status: 201,
})

export const listDumps = endpoint({
  service,
  method: 'GET',
  path: '/api/baskets/:id/dumps',
  summary: 'The raw dumps of a basket, newest first',
  params: z.object({ id: z.uuid() }),
  query: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(50) }),
  output: z.object({ items: z.array(rawDump) }),
})
