import { Problem } from '@waybill/service-kit'
import { z } from 'zod'

/** Where a page of the audit ended, as text without meaning to the client. */
export function auditCursorAfter(id: string): string {
  return Buffer.from(id).toString('base64url')
}

/** What a cursor of the audit holds: the number of a row. */
export const rowNumber = z.string().regex(/^[1-9]\d{0,17}$/)

/**
 * The id that a page is to begin after.
 * @throws Problem `bad_request` when the cursor is none of ours
 */
export function readAuditCursor(cursor: string | undefined, ids: z.ZodType<string>): string | undefined {
  if (cursor === undefined) return undefined
  const id = ids.safeParse(Buffer.from(cursor, 'base64url').toString())
  if (!id.success || auditCursorAfter(id.data) !== cursor) {
    throw new Problem('bad_request', 'query.cursor: is not the next_cursor of a page.')
  }
  return id.data
}
