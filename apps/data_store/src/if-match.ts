import { Problem } from '@waybill/service-kit'
import type { Permit } from './backend.ts'
import type { Collection } from './collections/collection.ts'

/** What `If-Match` asks of the version that a record has. */
export type IfMatch = (version: number) => boolean

/** The strong entity tag of a version. */
export function etagOf(version: number): string {
  return `"${String(version)}"`
}

/** One member of a list, which may be empty, with the comma or the end after it (RFC 9110 sections 5.6.1 and 8.8.3). */
const MEMBER = /[ \t]*(?:(W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/y

/**
 * The condition in an `If-Match` header; undefined when there is none. Tags are compared strongly, so that a weak one never
 * matches (RFC 9110 section 13.1.1).
 * @throws Problem `bad_request` for what is neither `*` nor a list of entity tags
 */
export function readIfMatch(header: string | undefined): IfMatch | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return () => true
  const tags: { tag: string; weak: boolean }[] = []
  MEMBER.lastIndex = 0
  while (MEMBER.lastIndex < header.length) {
    const member = MEMBER.exec(header)
    if (!member) throw malformed()
    const [, weak, tag] = member
    if (tag !== undefined) tags.push({ tag, weak: weak !== undefined })
  }
  if (tags.length === 0) throw malformed()
  return (version) => tags.some(({ tag, weak }) => !weak && tag === etagOf(version))
}

/**
 * What lets a record of `collection` be changed or deleted when `ifMatch` holds for it, and throws Problem `precondition_failed` when
 * it does not.
 * @throws Problem `precondition_required` when there is no `ifMatch` and the collection requires it
 */
export function permitFor(collection: Collection, ifMatch: IfMatch | undefined): Permit {
  if (!ifMatch && collection.requireIfMatch) throw tagRequired(collection)
  return ({ version }) => {
    if (!ifMatch || ifMatch(version)) return
    throw new Problem('precondition_failed', `The record has changed: its ETag is ${etagOf(version)} now.`)
  }
}

/** Why nothing is changed in a collection without its tag. */
export function tagRequired({ backend, name }: Collection): Problem {
  const detail = `In ${backend}/${name} nothing is changed without an If-Match header that names the ETag which was read.`
  return new Problem('precondition_required', detail)
}

function malformed(): Problem {
  return new Problem('bad_request', 'If-Match: must be * or a list of entity tags, such as "3".')
}
