import { dataStore } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'

/** Where a page ended, as text without meaning to the client. */
export function cursorAfter(id: string): string {
  return Buffer.from(id).toString('base64url')
}

/**
 * The id that a page is to begin after.
 * @throws Problem `bad_request` when the cursor is none of ours
 */
export function readCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const id = dataStore.recordId.safeParse(Buffer.from(cursor, 'base64url').toString())
  if (!id.success || cursorAfter(id.data) !== cursor) {
    throw new Problem('bad_request', 'query.cursor: is not the next_cursor of a page.')
  }
  return id.data
}
