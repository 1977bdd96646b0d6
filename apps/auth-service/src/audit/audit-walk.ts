import type { authService } from '@waybill/contracts'
import { brokenLink, CHAIN_START } from './audit-chain.ts'

/** The rows after `after`, the oldest first, and the head of the chain at that moment. */
export type ReadAuditPage = (after: number) => Promise<{
  rows: readonly authService.AuditRow[]
  head: { seq: number; hash: string }
}>

export type AuditVerdict = { intact: true; seq: number; hash: string } | { intact: false; reason: string }

/** An end of the chain that was noted earlier: it must still be in it, whatever the database says today. */
export interface NotedHead {
  seq: number
  hash: string
}

/**
 * Walks the audit from its first row to the head that it had at the beginning, and computes every hash anew; rows that
 * are written meanwhile are for the next time.
 */
export async function walkAudit(read: ReadAuditPage, noted?: NotedHead): Promise<AuditVerdict> {
  let last = { seq: 0, hash: CHAIN_START }
  let page = await read(last.seq)
  const { head } = page
  for (; last.seq < head.seq; page = await read(last.seq)) {
    if (page.rows.length === 0) return broken(`row ${last.seq + 1} is missing: the head is row ${head.seq}`)
    for (const row of page.rows) {
      const reason = brokenLink(row, last)
      if (reason !== undefined) return broken(reason)
      last = { seq: row.seq, hash: row.hash }
      const expected = [head, noted].find((end) => end?.seq === last.seq)
      if (expected && expected.hash !== last.hash)
        return broken(`row ${last.seq} is not the one that was the head`)
      if (last.seq === head.seq) break
    }
  }
  if (noted && noted.seq > head.seq) return broken(`row ${noted.seq} is missing: the head is row ${head.seq}`)
  return { intact: true, ...last }
}

function broken(reason: string): AuditVerdict {
  return { intact: false, reason }
}
