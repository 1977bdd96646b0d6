import { isIPv4 } from 'node:net'

/**
 * What an address is counted under: itself for IPv4, and for IPv6 its /64, which is what one household or one rented
 * machine has, with 2^64 addresses to choose from.
 */
export function addressBlock(address: string): string {
  const mapped = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (isIPv4(mapped)) return mapped
  const url = `http://[${address.replace(/%.*$/, '')}]`
  // What is no address at all comes from a trusted proxy that says so, and shares one count.
  if (!URL.canParse(url)) return 'unknown'
  // The URL parser writes every spelling the same way, in groups of hex digits and at most one '::'.
  const [head = '', tail] = new URL(url).hostname.slice(1, -1).split('::')
  const left = head.split(':').filter(Boolean)
  const right = (tail ?? '').split(':').filter(Boolean)
  const gap = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return `${[...left, ...gap, ...right].slice(0, 4).join(':')}::/64`
}
