import { parseStrictObject } from './strict-json.ts'
import { invalidToken } from './invalid-token.ts'
import { hasValidSignature } from '../keys/algorithms.ts'
import type { VerificationKey } from '../keys/verification-key.ts'

/** A signed token in compact form (RFC 7515 section 7.1) taken apart, before anything in it is believed. */
export interface Jws {
  header: { alg: string; kid: string; typ?: unknown }
  payload: Buffer
  signature: Buffer
  /** What the signature is made over: the first two parts as they were written. */
  signed: string
}

const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ'])

/**
 * Refuses whatever is not canonically written, before any key is looked up: libraries accept white space, padding,
 * spare bits in the last character and members named twice, so that one token has many spellings.
 * @throws Problem invalid_token
 */
export function readJws(text: string): Jws {
  const parts = text.split('.')
  const [head, body, tail] = parts
  if (parts.length !== 3 || !head || body === undefined || !tail) {
    throw invalidToken('The token does not have three parts.')
  }
  const signature = decode(tail, 'signature')
  const header = parseObject(decode(head, 'header'), 'header')
  if (Object.keys(header).some((member) => !HEADER_MEMBERS.has(member))) {
    throw invalidToken('The header has a member that is not accepted.')
  }
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || typeof kid !== 'string') {
    throw invalidToken('The header does not name an algorithm and a key.')
  }
  const payload = decode(body, 'payload')
  return { header: { alg, kid, typ }, payload, signature, signed: `${head}.${body}` }
}

/** @throws Problem invalid_token unless `key` is for the token's algorithm and made its signature */
export function checkSignature(jws: Jws, key: VerificationKey | undefined): void {
  if (key?.alg !== jws.header.alg) throw invalidToken('The token is signed with a key that is not known.')
  if (!hasValidSignature(key, jws.signed, jws.signature)) throw invalidToken('The signature is not valid.')
}

/** One JSON object without members named twice. @throws Problem invalid_token naming the part */
export function parseObject(bytes: Uint8Array, part: string): Record<string, unknown> {
  try {
    return parseStrictObject(bytes)
  } catch {
    throw invalidToken(`The ${part} is not one JSON object.`)
  }
}

function decode(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw invalidToken(`The ${name} is not canonical base64url.`)
  return bytes
}
