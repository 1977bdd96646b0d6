import { Problem } from '@waybill/service-kit'
import type { Permit } from '../backend.ts'
import type { Collection } from '../collections/collection.ts'

/** What a header asks of the version that a record has. */
export type VersionCondition = (version: number) => boolean

/** What must hold for a record that is to be changed; each is undefined when nothing was said. */
export interface Preconditions {
  ifMatch: VersionCondition | undefined
  /** Of the record that is there, if there is one. */
  ifNoneMatch: VersionCondition | undefined
}

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
export function readIfMatch(header: string | undefined): VersionCondition | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return () => true
  const tags = tagsIn(header, 'If-Match')
  return (version) => tags.some(({ tag, weak }) => !weak && tag === etagOf(version))
}

/**
 * The condition in an `If-None-Match` header; undefined when there is none. `*` holds for no record that is there, so that only
 * what is new is written; tags are compared weakly (RFC 9110 section 13.1.2).
 * @throws as readIfMatch
 */
export function readIfNoneMatch(header: string | undefined): VersionCondition | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return () => false
  const tags = tagsIn(header, 'If-None-Match')
  return (version) => tags.every(({ tag }) => tag !== etagOf(version))
}

function tagsIn(header: string, name: string): { tag: string; weak: boolean }[] {
  const tags: { tag: string; weak: boolean }[] = []
  MEMBER.lastIndex = 0
  while (MEMBER.lastIndex < header.length) {
    const member = MEMBER.exec(header)
    if (!member) throw malformed(name)
    const [, weak, tag] = member
    if (tag !== undefined) tags.push({ tag, weak: weak !== undefined })
  }
  if (tags.length === 0) throw malformed(name)
  return tags
}

/**
 * What lets a record of `collection` be changed or deleted when the preconditions hold for it, and throws Problem `precondition_failed`
 * when they do not. They are looked at in the order of RFC 9110 section 13.2.2.
 * @throws Problem `precondition_required` when there is no `ifMatch` and the collection requires it
 */
export function permitFor(collection: Collection, { ifMatch, ifNoneMatch }: Preconditions): Permit {
  const lacksTag = !ifMatch && collection.requireIfMatch
  if (lacksTag && !ifNoneMatch) throw tagRequired(collection)
  return ({ version }) => {
    if (ifMatch && !ifMatch(version)) {
      throw failed(version, `The record has changed: its ETag is ${etagOf(version)} now.`)
    }
    if (ifNoneMatch && !ifNoneMatch(version)) {
      throw failed(version, `There is such a record, and its ETag is ${etagOf(version)} (If-None-Match).`)
    }
    if (lacksTag) throw tagRequired(collection)
  }
}

/** With the tag that the record has, for whoever wants to try again. */
function failed(version: number, detail: string): Problem {
  return new Problem('precondition_failed', detail, { headers: { ETag: etagOf(version) } })
}

/** Why nothing is changed in a collection without its tag. */
export function tagRequired({ backend, name }: Collection): Problem {
  const detail = `In ${backend}/${name} nothing is changed without an If-Match header that names the ETag which was read.`
  return new Problem('precondition_required', detail)
}

function malformed(name: string): Problem {
  return new Problem('bad_request', `${name}: must be * or a list of entity tags, such as "3".`)
}
