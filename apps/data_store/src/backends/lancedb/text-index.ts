import { Index } from '@lancedb/lancedb'
import type { Table } from '@lancedb/lancedb'

/**
 * Makes the index for full-text search anew, of the rows that are there now. Rows that come later are found too, and put into it
 * by maintenance. Words are what they are, in any language: no stems, no stop words.
 */
export async function indexTexts(table: Table): Promise<void> {
  const config = Index.fts({ withPosition: false, stem: false, removeStopWords: false })
  await table.createIndex('text', { config, replace: true })
}
