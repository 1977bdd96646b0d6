import { z } from 'zod'

/** The place of a row in a list that is sorted newest first. */
export interface Place {
  created_at: Date
  id: string
}

/** Which part of a list is wanted. */
export interface PageRequest {
  limit: number
  /** Where the page before ended. */
  cursor?: Place | undefined
}

const FORM = /^(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z)_([0-9a-f-]{36})$/

/** A `next_cursor` as clients send it back, read into the place that it names. */
export const cursorSchema = z.string().transform((text, context): Place => {
  const [, createdAt, id] = FORM.exec(text) ?? []
  const place = z.object({ createdAt: z.iso.datetime(), id: z.uuid() }).safeParse({ createdAt, id })
  if (place.success) return { created_at: new Date(place.data.createdAt), id: place.data.id }
  context.addIssue({ code: 'custom', message: 'is not a next_cursor' })
  return z.NEVER
})

/** What is answered of `rows`, of which one more than `limit` was asked for to know whether there are more. */
export function pageOf<Row extends Place>(rows: Row[], limit: number) {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  const isLast = !last || rows.length <= limit
  return { items, next_cursor: isLast ? null : `${last.created_at.toISOString()}_${last.id}` }
}
