import type { Generated } from 'kysely'
import type { Role } from './roles.ts'

// What is Generated and has no default of its own in the code is set by the database from the claims.

interface WorkspaceTable {
  id: string
  name: string
  kind: 'personal' | 'team'
  created_by: Generated<string>
  created_at: Generated<Date>
}

interface MembershipTable {
  workspace_id: string
  user_id: string
  role: Role
  added_by: Generated<string>
  created_at: Generated<Date>
}

interface ProjectTable {
  id: string
  workspace_id: string
  name: string
  description: string
  status: Generated<'creating' | 'active'>
  basket_id: string
  created_by: Generated<string>
  created_at: Generated<Date>
}

interface IdempotencyKeyTable {
  user_id: Generated<string>
  key: string
  fingerprint: string
  project_id: string
  answer: unknown
  created_at: Generated<Date>
}

interface AbandonedBasketTable {
  workspace_id: string
  basket_id: string
  created_at: Generated<Date>
}

export interface Tables {
  workspaces: WorkspaceTable
  memberships: MembershipTable
  projects: ProjectTable
  idempotency_keys: IdempotencyKeyTable
  abandoned_baskets: AbandonedBasketTable
}
