import { invalidToken } from './invalid-token.ts'
import { parseObject, readJws } from './jws.ts'
import type { Jws } from './jws.ts'

/** An access token taken apart; its claims are not believed yet. */
export interface AccessToken {
  jws: Jws
  payload: Record<string, unknown>
}

const MAX_TOKEN_CHARS = 8192
/** Nothing that could be a path, a query or a command to whatever looks keys up. */
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
const TYPE = /^(?:application\/)?at\+jwt$/i

/**
 * What an access token (RFC 9068) must look like beyond being a signed token: its type, a plain key id, and a payload.
 * @throws Problem invalid_token
 */
export function readAccessToken(token: string): AccessToken {
  if (token.length > MAX_TOKEN_CHARS) throw invalidToken('The token is too long.')
  const jws = readJws(token)
  const { kid, typ } = jws.header
  if (!KEY_ID.test(kid)) throw invalidToken('The header does not name an algorithm and a key.')
  if (typeof typ !== 'string' || !TYPE.test(typ)) throw invalidToken('This is not an access token.')
  return { jws, payload: parseObject(jws.payload, 'payload') }
}
