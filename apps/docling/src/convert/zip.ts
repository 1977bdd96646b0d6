import { crc32, inflateRawSync } from 'node:zlib'
import { ConversionError } from './conversion-error.ts'

/** What an office document may unpack to. A member is inflated once here, with these bounds, before anything parses it. */
const LIMITS = {
  members: 4096,
  memberBytes: 64 * 1024 * 1024,
  totalBytes: 192 * 1024 * 1024,
  /** Above a megabyte: deflate ends at about 1030 to 1, dense XML stays under 60 to 1. */
  ratio: 200,
  ratioFromBytes: 1024 * 1024,
} as const

const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const LOCAL_HEADER = 0x04034b50
const END_BYTES = 22
const MAX_COMMENT_BYTES = 0xffff

interface Member {
  name: string
  flags: number
  method: number
  crc: number
  packed: number
  size: number
  offset: number
}

/**
 * Lists an archive's members from its central directory (APPNOTE.TXT 6.3.10, 4.3), without unpacking.
 * @throws ConversionError `broken` (no directory, damaged, or spread over disks), `too_large` (too many members).
 */
export function listMembers(archive: Buffer): Member[] {
  const end = findEnd(archive)
  const count = archive.readUInt16LE(end + 10)
  let at = archive.readUInt32LE(end + 16)
  if (count === 0xffff || at === 0xffffffff)
    throw new ConversionError('broken', 'is a ZIP64 archive, which no document needs')
  if (count > LIMITS.members)
    throw new ConversionError(
      'too_large',
      `its archive has ${String(count)} members, more than ${String(LIMITS.members)}`,
    )
  const members: Member[] = []
  for (let n = 0; n < count; n++) {
    if (at + 46 > archive.length || archive.readUInt32LE(at) !== DIRECTORY_ENTRY) throw damaged('directory')
    const nameBytes = archive.readUInt16LE(at + 28)
    members.push({
      name: archive.toString('utf8', at + 46, at + 46 + nameBytes),
      flags: archive.readUInt16LE(at + 8),
      method: archive.readUInt16LE(at + 10),
      crc: archive.readUInt32LE(at + 16),
      packed: archive.readUInt32LE(at + 20),
      size: archive.readUInt32LE(at + 24),
      offset: archive.readUInt32LE(at + 42),
    })
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return members
}

/**
 * Proves that an archive is what its directory says and small enough: names, declared sizes, then real sizes and
 * checksums by inflating each member under a cap. Nothing is written to disk.
 * @throws ConversionError `encrypted`, `too_large`, `broken`.
 */
export function checkArchive(archive: Buffer): void {
  const members = listMembers(archive)
  const names = new Set<string>()
  let total = 0
  for (const member of members) {
    if (member.flags & 1) throw new ConversionError('encrypted', 'is encrypted')
    if (names.has(member.name) || isUnsafeName(member.name)) throw damaged('list of members')
    names.add(member.name)
    total += member.size
    refuseBomb(member, total)
  }
  for (const member of members) checkMember(archive, member)
}

function refuseBomb(member: Member, total: number) {
  const tooDense = member.size > LIMITS.ratioFromBytes && member.size > member.packed * LIMITS.ratio
  if (member.size > LIMITS.memberBytes || total > LIMITS.totalBytes || tooDense) throw tooLarge()
}

function checkMember(archive: Buffer, member: Member) {
  const { offset } = member
  if (offset + 30 > archive.length || archive.readUInt32LE(offset) !== LOCAL_HEADER) throw damaged('member')
  const start = offset + 30 + archive.readUInt16LE(offset + 26) + archive.readUInt16LE(offset + 28)
  const packed = archive.subarray(start, start + member.packed)
  const content = unpack(packed, member)
  if (content.length !== member.size || crc32(content) !== member.crc) throw damaged('member')
}

function unpack(packed: Buffer, member: Member): Buffer {
  if (member.method === 0) return packed
  if (member.method !== 8)
    throw new ConversionError('broken', 'is packed by a method that documents do not use')
  try {
    // One byte more than declared is enough to see the lie without unpacking it.
    return inflateRawSync(packed, { maxOutputLength: member.size + 1 })
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge()
    throw damaged('member', error)
  }
}

function findEnd(archive: Buffer): number {
  const lowest = Math.max(0, archive.length - END_BYTES - MAX_COMMENT_BYTES)
  for (let at = archive.length - END_BYTES; at >= lowest; at--) {
    if (archive.readUInt32LE(at) === END_OF_DIRECTORY) return at
  }
  throw damaged('directory')
}

function isUnsafeName(name: string): boolean {
  return (
    name === '' || name.includes('\0') || /^[\\/]|^[a-z]:/i.test(name) || name.split(/[\\/]/).includes('..')
  )
}

function damaged(what: string, cause?: unknown) {
  return new ConversionError('broken', `is damaged: its archive's ${what} cannot be read`, { cause })
}

function tooLarge() {
  return new ConversionError('too_large', 'unpacks to far more than its own size; it was not opened')
}
