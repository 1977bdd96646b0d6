import { isIP } from 'node:net'
import { isPublicAddress } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'

/**
 * The endpoint of a key as it is kept: no slash at its end. Nothing of what was given is quoted: it may hold a key.
 * What its host's name resolves to is judged when it is called.
 * @throws Problem unprocessable when it is not an https URL (or one of `privateOrigins`) with nothing but host, port and path
 */
export function readBaseUrl(text: string, privateOrigins: readonly string[]): string {
  const url = URL.parse(text)
  if (!url || !['https:', 'http:'].includes(url.protocol)) throw refused('must be an https URL')
  if (url.username !== '' || url.password !== '') throw refused('must hold no credentials')
  // A bare ? or # leaves no trace in the parsed URL.
  if (/[?#]/.test(text)) throw refused('must hold no query and no fragment')
  if (!privateOrigins.includes(url.origin)) {
    if (url.protocol !== 'https:') throw refused('must be an https URL')
    const address = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(address) !== 0 && !isPublicAddress(address)) throw refused('must have a public address')
  }
  return url.href.replace(/\/+$/, '')
}

function refused(why: string): Problem {
  return new Problem('unprocessable', `base_url ${why}.`, { extensions: { reason: 'base_url_refused' } })
}
