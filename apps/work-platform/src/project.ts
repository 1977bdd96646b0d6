import { substrateApi } from '@waybill/contracts'
import { z } from 'zod'
import type { ProjectRow } from './store/projects.ts'

/** A project as it is answered. */
export const project = z.object({
  id: z.uuid(),
  workspace_id: z.uuid(),
  name: z.string(),
  description: z.string(),
  /** Others than active ones are not shown. */
  status: z.literal('active'),
  basket_id: z.uuid(),
  /** null when substrate-api has it no more, or (in a partial list) could not be asked. */
  basket: substrateApi.basket.nullable(),
  created_by: z.string(),
  created_at: z.iso.datetime(),
})
export type Project = z.output<typeof project>

/** An active project with its basket. */
export function projectOf(row: ProjectRow, basket: substrateApi.Basket | null): Project {
  return { ...row, status: 'active', basket, created_at: row.created_at.toISOString() }
}
