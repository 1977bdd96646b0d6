import type { authService } from '@waybill/contracts'
import type { Generated } from 'kysely'

interface UsersTable {
  id: Generated<string>
  username: string
  email: string
  full_name: string | null
  role: Generated<string>
  password_hash: string
  created_at: Generated<Date>
  tier: Generated<Tier>
  tenant_id: string | null
  disabled_at: Date | null
  password_changed_at: Generated<Date>
}

interface SessionsTable {
  id: string
  user_id: string
  refresh_hash: Buffer
  previous_hash: Buffer | null
  rotated_at: Date | null
  created_at: Generated<Date>
  expires_at: Date
  revoked_at: Date | null
  revoked_because: EndOfSession | null
}

interface PasswordHistoryTable {
  id: Generated<string>
  user_id: string
  password_hash: string
  replaced_at: Generated<Date>
}

interface LoginLocksTable {
  key: Buffer
  failures: number
  failed_at: Date
  locked_until: Date | null
}

interface ApiKeysTable {
  id: Generated<string>
  user_id: string
  name: string
  prefix: string
  hash: Buffer
  permissions: string[]
  created_at: Generated<Date>
  expires_at: Date
  last_used_at: Date | null
  revoked_at: Date | null
  replaced_at: Date | null
}

interface SigningKeysTable {
  kid: string
  alg: string
  state: KeyState
  sealed: Buffer
  created_at: Generated<Date>
  changed_at: Generated<Date>
}

interface RevocationsTable {
  cursor: Generated<string>
  kind: authService.Revocation['kind']
  subject: string
  not_before: Date | null
  expires_at: Date
}

interface ServiceClientsTable {
  name: string
  created_at: Generated<Date>
  disabled_at: Date | null
}

interface ServiceClientSecretsTable {
  id: string
  client: string
  hash: Buffer
  created_at: Generated<Date>
  expires_at: Date | null
  revoked_at: Date | null
}

/** How much a user may ask for. */
export type Tier = authService.Tier

/** Why a session has ended before its time. */
export type EndOfSession = 'logout' | 'refresh_reuse' | 'revoked' | 'password_change' | 'disabled' | 'admin'

/** `next` is published before it signs, `retired` verifies what it has signed, `revoked` is believed no more. */
export type KeyState = 'next' | 'current' | 'retired' | 'revoked'

export interface Schema {
  users: UsersTable
  sessions: SessionsTable
  password_history: PasswordHistoryTable
  login_locks: LoginLocksTable
  api_keys: ApiKeysTable
  signing_keys: SigningKeysTable
  revocations: RevocationsTable
  service_clients: ServiceClientsTable
  service_client_secrets: ServiceClientSecretsTable
}
