import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { authService } from '@waybill/contracts'

const PREFIX = 'wb_'
const RANDOM_DIGITS = 30
const CHECKSUM_DIGITS = 6
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A new API key: `wb_`, 30 random base62 digits (178 bits), and their checksum. */
export function generateApiKey(): string {
  const digits = Array.from({ length: RANDOM_DIGITS }, () => BASE62.charAt(randomInt(BASE62.length)))
  const body = PREFIX + digits.join('')
  return body + apiKeyChecksum(body)
}

/** The CRC32 of the first 33 characters of an API key, in 6 base62 digits, the highest first. */
export function apiKeyChecksum(body: string): string {
  let rest = crc32(body)
  let digits = ''
  for (let at = 0; at < CHECKSUM_DIGITS; at += 1) {
    digits = BASE62.charAt(rest % BASE62.length) + digits
    rest = Math.floor(rest / BASE62.length)
  }
  return digits
}

/** Whether the text was meant to be an API key, a mistyped one too. */
export function isApiKeyLike(text: string): boolean {
  return text.startsWith(PREFIX)
}

/**
 * Whether the text could be an API key: a mistyped or invented one is told from a real one without asking anybody, and
 * scanners of source code find real ones without asking us.
 */
export function isApiKey(text: string): boolean {
  return (
    authService.API_KEY_PATTERN.test(text) &&
    apiKeyChecksum(text.slice(0, -CHECKSUM_DIGITS)) === text.slice(-CHECKSUM_DIGITS)
  )
}
