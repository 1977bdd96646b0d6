import type { IncomingMessage } from 'node:http'
import { FileMakerError } from './errors.ts'
import type { FieldData, FindRequest, SortOrder } from './table.ts'

/** Bodies and query strings of the Data API, read. Each function throws FileMakerError with HTTP status 400 for what is malformed. */

const LIMIT_BYTES = 16 * 1024 ** 2
const DEFAULT_PAGE = 100

export interface PageRequest {
  /** From 1. */
  offset: number
  limit: number
  sort: SortOrder[]
}

type Body = Record<string, unknown>

export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LIMIT_BYTES) throw new Error('The body is longer than FileMaker takes.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

export function parseBody(request: IncomingMessage, text: string): Body {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new FileMakerError('960', 415)
  }
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw malformed()
  }
  if (!isObject(body)) throw malformed()
  return body
}

export function fieldDataOf({ fieldData }: Body): FieldData {
  if (fieldData === undefined) throw new FileMakerError('958', 400)
  if (!isObject(fieldData)) throw malformed()
  const read: FieldData = {}
  for (const [name, value] of Object.entries(fieldData)) {
    if (typeof value !== 'string' && typeof value !== 'number') throw malformed()
    read[name] = value
  }
  return read
}

export function modIdOf({ modId }: Body): string | undefined {
  if (modId === undefined) return undefined
  if (typeof modId !== 'string' && typeof modId !== 'number') throw malformed()
  return String(modId)
}

export function findRequestsOf({ query }: Body): FindRequest[] {
  if (!Array.isArray(query) || query.length === 0) throw new FileMakerError('958', 400)
  return query.map((request: unknown) => {
    if (!isObject(request)) throw malformed()
    const { omit, ...fields } = request
    const criteria = new Map<string, string>()
    for (const [field, value] of Object.entries(fields)) {
      if (typeof value !== 'string' && typeof value !== 'number') throw malformed()
      if (value !== '') criteria.set(field, String(value))
    }
    if (criteria.size === 0) throw new FileMakerError('400')
    return { criteria, omit: String(omit) === 'true' }
  })
}

export function pageOf({ offset, limit, sort }: Body): PageRequest {
  return { offset: positive(offset, 1), limit: positive(limit, DEFAULT_PAGE), sort: sortOf(sort) }
}

/** The same in a query string, where the names have an underscore. */
export function pageOfQuery(query: URLSearchParams): PageRequest {
  const sort = query.get('_sort')
  let parsed: unknown
  try {
    parsed = sort === null ? undefined : JSON.parse(sort)
  } catch {
    throw malformed()
  }
  return pageOf({
    offset: query.get('_offset') ?? undefined,
    limit: query.get('_limit') ?? undefined,
    sort: parsed,
  })
}

function sortOf(sort: unknown): SortOrder[] {
  if (sort === undefined) return []
  if (!Array.isArray(sort)) throw malformed()
  return sort.map((one: unknown) => {
    if (!isObject(one) || typeof one.fieldName !== 'string') throw malformed()
    return { field: one.fieldName, descending: one.sortOrder === 'descend' }
  })
}

function positive(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) throw malformed()
  return number
}

function malformed(): FileMakerError {
  return new FileMakerError('960', 400)
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
