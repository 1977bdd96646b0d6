import { z } from 'zod'
import { cursorSchema } from '../cursor.ts'

/** Text as Postgres can keep it: no NUL, no half of a surrogate pair. */
export const text = z.string().refine((value) => !value.includes('\0') && value.isWellFormed(), {
  error: 'must be well-formed Unicode without NUL',
})

/** The name of a workspace or a project. */
export const name = text.trim().min(1).max(200)

export const workspaceParams = z.object({ id: z.uuid() })

export const page = {
  limit: z.coerce.number().int().min(1).max(100).default(50),
  /** The `next_cursor` of the page before. */
  cursor: cursorSchema.optional(),
}

export const pageQuery = z.strictObject(page)
