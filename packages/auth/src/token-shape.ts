import { Problem } from '@waybill/service-kit'
import { parseStrictObject } from './strict-json.ts'

/** An access token taken apart, before anything in it is believed. */
export interface TokenShape {
  header: { alg: string; kid: string; typ: string }
  payload: Record<string, unknown>
}

const MAX_TOKEN_CHARS = 8192
const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ'])
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
const TYPE = /^(?:application\/)?at\+jwt$/i

/**
 * Refuses whatever is not a canonically written access token (RFC 7515, RFC 9068), before any key is looked up: jose
 * alone accepts white space, padding, spare bits in the last character and members named twice.
 * @throws Problem invalid_token
 */
export function readShape(token: string): TokenShape {
  if (token.length > MAX_TOKEN_CHARS) throw invalidToken('The token is too long.')
  const parts = token.split('.')
  const [head, body, signature] = parts
  if (parts.length !== 3 || !head || !body || !signature)
    throw invalidToken('The token does not have three parts.')
  if (!isCanonical(signature)) throw invalidToken('The signature is not canonical base64url.')
  const header = readPart(head, 'header')
  const { alg, kid, typ } = header
  if (Object.keys(header).some((member) => !HEADER_MEMBERS.has(member))) {
    throw invalidToken('The header has a member that is not accepted.')
  }
  if (typeof alg !== 'string' || typeof kid !== 'string' || !KEY_ID.test(kid)) {
    throw invalidToken('The header does not name an algorithm and a key.')
  }
  if (typeof typ !== 'string' || !TYPE.test(typ)) throw invalidToken('This is not an access token.')
  return { header: { alg, kid, typ }, payload: readPart(body, 'payload') }
}

function readPart(part: string, name: string): Record<string, unknown> {
  if (!isCanonical(part)) throw invalidToken(`The ${name} is not canonical base64url.`)
  try {
    return parseStrictObject(Buffer.from(part, 'base64url'))
  } catch {
    throw invalidToken(`The ${name} is not one JSON object.`)
  }
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

/** What a bad credential is answered with. The reason is safe to show: it never quotes the token. */
export function invalidToken(reason: string): Problem {
  return new Problem('invalid_token', reason)
}
