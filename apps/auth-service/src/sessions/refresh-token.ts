import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { Secret } from '@waybill/service-kit'

const NONCE_BYTES = 16
/** `rt_<session id>_<nonce><MAC>`: one word without dots, which the redaction of logs knows by its prefix. */
const FORM = /^(rt_([0-9a-f-]{36})_[\w-]{22})([\w-]{43})$/

interface RefreshToken {
  sessionId: string
  token: Secret
  /** What is kept of it: SHA-256. */
  hash: Buffer
}

/**
 * Opaque refresh tokens of which the database holds only hashes. Each carries a MAC, so that one that was made up costs
 * no query and cannot end anybody's session; and each determines its successor, so that it need not be kept in clear to
 * be given out twice. Without the server's key neither a token nor a hash leads to the next one.
 */
export interface RefreshTokens {
  /** The first token of a session. */
  first(sessionId: string): RefreshToken
  /** The token as it was issued; undefined when it was not issued here. */
  read(token: string): RefreshToken | undefined
  /** The token that follows: the same at every call. */
  successor(token: RefreshToken): RefreshToken
}

/** `encryptionKey`: 32 bytes in base64, from which a key of its own is derived (HKDF, RFC 5869). */
export function createRefreshTokens(encryptionKey: Secret): RefreshTokens {
  const input = Buffer.from(encryptionKey.reveal(), 'base64')
  const key = Buffer.from(hkdfSync('sha256', input, '', 'waybill/refresh-token', 32))
  const mac = (purpose: 'issued' | 'successor', text: string): Buffer =>
    createHmac('sha256', key).update(`${purpose}:${text}`).digest()
  const issue = (sessionId: string, nonce: Buffer): RefreshToken => {
    const head = `rt_${sessionId}_${nonce.toString('base64url')}`
    return described(sessionId, head + mac('issued', head).toString('base64url'))
  }
  return {
    first: (sessionId) => issue(sessionId, randomBytes(NONCE_BYTES)),
    read(token) {
      const [, head, sessionId, tag] = FORM.exec(token) ?? []
      if (head === undefined || sessionId === undefined || tag === undefined) return undefined
      // As text: several spellings of the same bytes are not several tokens.
      const expected = Buffer.from(mac('issued', head).toString('base64url'))
      return timingSafeEqual(Buffer.from(tag), expected) ? described(sessionId, token) : undefined
    },
    successor: ({ sessionId, token }) =>
      issue(sessionId, mac('successor', token.reveal()).subarray(0, NONCE_BYTES)),
  }
}

function described(sessionId: string, token: string): RefreshToken {
  return { sessionId, token: new Secret(token), hash: createHash('sha256').update(token).digest() }
}
