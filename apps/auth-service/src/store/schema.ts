import type { Generated } from 'kysely'

interface UsersTable {
  id: Generated<string>
  username: string
  email: string
  full_name: string | null
  role: Generated<string>
  password_hash: string
  created_at: Generated<Date>
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
  revoked_because: 'logout' | 'refresh_reuse' | null
}

interface SigningKeysTable {
  kid: string
  alg: string
  state: KeyState
  sealed: Buffer
  created_at: Generated<Date>
}

/** `next` is published before it signs, `retired` verifies what it has signed, `revoked` is believed no more. */
export type KeyState = 'next' | 'current' | 'retired' | 'revoked'

export interface Schema {
  users: UsersTable
  sessions: SessionsTable
  signing_keys: SigningKeysTable
}
