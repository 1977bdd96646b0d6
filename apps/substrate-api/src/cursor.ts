/** The place of a row in a list that is sorted newest first. */
export interface Place {
  created_at: Date
  id: string
}

/** The cursor of the page that begins after `last`. */
function cursorAfter(last: Place): string {
  return `${last.created_at.toISOString()}_${last.id}`
}

/** The place that a cursor of the contract's form names. */
export function placeOf(cursor: string): Place {
  const [createdAt = '', id = ''] = cursor.split('_')
  return { created_at: new Date(createdAt), id }
}

/** What is answered of `rows`, of which one more than `limit` was asked for to know whether there are more. */
export function pageOf<Row extends Place>(rows: Row[], limit: number) {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next_cursor: last && rows.length > limit ? cursorAfter(last) : null }
}
