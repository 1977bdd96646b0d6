import { createHash } from 'node:crypto'
import type { authService } from '@waybill/contracts'

type AuditRow = authService.AuditRow

/** What stands for the row before the first one. */
export const CHAIN_START = '0'.repeat(64)

/**
 * The hash that a row of the audit must have, in hex: SHA-256 of the canonical JSON of its members, `hash` itself left
 * out, in a list of this order. The trigger audit_chain computes the same in the database.
 */
export function auditHash(row: Omit<AuditRow, 'hash'>): string {
  const { seq, at, actor, on_behalf_of, actors, via, action, resource, outcome, details } = row
  const members = [
    ...[seq, at, actor, on_behalf_of, actors, via, action, resource, outcome, details],
    ...[row.request_id, row.trace_id, row.previous_hash],
  ]
  return createHash('sha256').update(canonicalJson(members)).digest('hex')
}

/** Why `row` does not follow the row before it; undefined when it does. */
export function brokenLink(row: AuditRow, before: { seq: number; hash: string }): string | undefined {
  if (row.seq !== before.seq + 1) return `row ${before.seq + 1} is missing: row ${row.seq} comes next`
  if (row.previous_hash !== before.hash) return `row ${row.seq} does not follow from row ${before.seq}`
  if (row.hash !== auditHash(row)) return `row ${row.seq} is not what it was when it was written`
  return undefined
}

/**
 * JSON without white space, the members of objects in the order of their names' bytes, numbers written out: RFC 8785 but
 * for numbers of 22 digits and more, or with six zeros after the point.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'number') return plainNumber(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}

/** As Postgres writes a number: `1e-7` is 0.0000001. */
function plainNumber(value: number): string {
  const text = JSON.stringify(value)
  const [, sign = '', whole = '', fraction = '', exponent] =
    /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (exponent === undefined) return text
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return sign + digits.padEnd(point, '0')
}
