import { lookup } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type { LookupFunction } from 'node:net'

/** Ranges that an outside request must never reach (RFC 6890): this machine, its networks, link-local metadata services. */
const PRIVATE: readonly [address: string, bits: number, family: 'ipv4' | 'ipv6'][] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 96, 'ipv6'],
  // IPv4-translated (RFC 2765), which BlockList does not judge as IPv4.
  ['::ffff:0:0:0', 96, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['100::', 64, 'ipv6'],
  ['2001::', 23, 'ipv6'],
  ['2001:db8::', 32, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['3fff::', 20, 'ipv6'],
  ['5f00::', 16, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
]

function privateRanges(): BlockList {
  const list = new BlockList()
  for (const range of PRIVATE) list.addSubnet(...range)
  return list
}

/** Whether an IP address is on the public internet. IPv4 addresses written as IPv6 are judged as IPv4. */
export function isPublicAddress(address: string, ranges = privateRanges()): boolean {
  const family = isIP(address)
  return family !== 0 && !ranges.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * A lookup for sockets that refuses a name as soon as one of its addresses is private. The socket connects to the very
 * addresses that were judged, so a name that changes its mind between check and use gains nothing.
 */
export function publicLookup(resolve: typeof lookup = lookup): LookupFunction {
  const ranges = privateRanges()
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        callback(error, [])
        return
      }
      const bad = addresses.find(({ address }) => !isPublicAddress(address, ranges))
      const first = addresses[0]
      if (bad || !first) callback(Object.assign(new Error('a private address'), { code: 'EPRIVATE' }), [])
      else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
