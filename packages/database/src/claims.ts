import { subjectOf } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import pg from 'pg'

export interface TransactionSettings {
  readOnly: boolean
  statementTimeoutMs: number
  lockTimeoutMs: number
  /** The most that the whole transaction may take; needs PostgreSQL 17. */
  transactionTimeoutMs?: number | undefined
  /** Whose claims the policies see, and the role that they are applied to. Absent: the login role and no claims. */
  as?: { principal: Principal; role: string; scope?: OwnerScope | undefined }
}

/** Which of its claims a transaction is about: what belongs to the user, to the tenant, or to the workspace. */
export type OwnerScope = 'user' | 'tenant' | 'workspace'

/**
 * The statements that open a transaction, as one message and so one round trip. Everything is transaction-local: what
 * the transaction ends, ends the claims too, and the next borrower of the connection starts with none.
 */
export function beginStatements(settings: TransactionSettings): string {
  const statements = [
    settings.readOnly ? 'begin read only' : 'begin',
    `set local statement_timeout = ${String(settings.statementTimeoutMs)}`,
    `set local lock_timeout = ${String(settings.lockTimeoutMs)}`,
  ]
  if (settings.transactionTimeoutMs !== undefined)
    statements.push(`set local transaction_timeout = ${String(settings.transactionTimeoutMs)}`)
  if (settings.as) {
    const { principal, role, scope = 'user' } = settings.as
    const parameters = { ...claimsOf(principal), 'waybill.scope': scope, role }
    // The role comes last, because the role of a request may not set parameters. Not by set_config(), which has to be planned as a
    // query and costs twice as much.
    for (const [name, value] of Object.entries(parameters))
      statements.push(`set local ${name} = ${literal(value)}`)
  }
  return statements.join('; ')
}

/** Every claim is set, absent ones to '', so that none can be left over or be forgotten by a policy. */
function claimsOf(principal: Principal): Record<string, string> {
  return {
    'waybill.subject': subjectOf(principal),
    'waybill.user_id': principal.kind === 'user' ? principal.userId : '',
    'waybill.service': principal.kind === 'service' ? principal.service : '',
    'waybill.tenant_id': principal.tenantId ?? '',
    'waybill.workspace_id': principal.workspaceId ?? '',
    'waybill.actors': list(principal.actors),
    'waybill.permissions': list(principal.permissions),
  }
}

/** Separated by spaces, as OAuth writes scopes: `string_to_array(current_setting(...), ' ')` takes it apart. */
function list(values: readonly string[]): string {
  if (values.some((value) => /\s/.test(value)))
    throw new TypeError('A permission or an actor holds white space.')
  return values.join(' ')
}

function literal(value: string): string {
  // Postgres text cannot hold NUL, and a simple query would end there.
  if (value.includes('\0')) throw new TypeError('A claim holds a NUL character.')
  return pg.escapeLiteral(value)
}
