import { z } from 'zod'

/**
 * Which records are meant: a tree of conditions, each true or false for every record. A member that is not there counts as
 * null; values are equal when type and value are, and `lt` to `ge` hold between two numbers or two texts only (texts by code
 * point). So `ne` and `not` hold for members that are missing or of another type.
 */
export type Filter = { and: Filter[] } | { or: Filter[] } | { not: Filter } | Comparison

/** A scalar of JSON. */
export type Scalar = string | number | boolean

export type Comparison =
  | { field: string; op: 'eq' | 'ne'; value: Scalar }
  | { field: string; op: 'lt' | 'le' | 'gt' | 'ge'; value: string | number }
  | { field: string; op: 'in'; value: Scalar[] }
  /** In a text, as it is written; in an array, as one of its members. */
  | { field: string; op: 'contains'; value: Scalar }
  | { field: string; op: 'prefix'; value: string }
  | { field: string; op: 'is_null' }

/** The deepest that and, or and not may stand in each other. */
export const FILTER_MAX_DEPTH = 8
/** As far as a `planned` count counts. */
export const PLANNED_COUNT_CEILING = 1_000
/** The most comparisons that a data_store can be set to take (FILTER_MAX_CONDITIONS). */
export const FILTER_CEILING = 1_000

const LONGEST_TEXT = 4_096

/** What of a record can be compared and ordered: its own members, or a member of its data, at most five deep. */
export const fieldName = z
  .string()
  .regex(
    /^(id|version|created_at|updated_at|data(\.[A-Za-z0-9_-]{1,64}){1,5})$/,
    'must be id, version, created_at, updated_at or data.<member>',
  )

const text = z
  .string()
  .max(LONGEST_TEXT)
  .refine((value) => value.isWellFormed(), { error: 'holds half a surrogate pair' })
const scalar = z.union([text, z.number(), z.boolean()], { error: 'must be a text, a number, true or false' })
const ordered = z.union([text, z.number()], { error: 'must be a text or a number' })
const comparison = z.discriminatedUnion('op', [
  z.strictObject({ field: fieldName, op: z.enum(['eq', 'ne']), value: scalar }),
  z.strictObject({ field: fieldName, op: z.enum(['lt', 'le', 'gt', 'ge']), value: ordered }),
  z.strictObject({ field: fieldName, op: z.literal('in'), value: z.array(scalar).min(1).max(1_000) }),
  z.strictObject({ field: fieldName, op: z.literal('contains'), value: scalar }),
  z.strictObject({ field: fieldName, op: z.literal('prefix'), value: text }),
  z.strictObject({ field: fieldName, op: z.literal('is_null') }),
])

const several = z.lazy(() => z.array(node).min(1).max(100))
/** By its members, so that a message speaks of the branch that was meant rather than of all that it is not. */
const node: z.ZodType<Filter> = z.unknown().transform((value, context): Filter => {
  const parsed = schemaFor(value)?.safeParse(value)
  if (parsed?.success) return parsed.data
  const issues = parsed?.error.issues ?? [{ path: [], message: 'must be a condition, and, or or not' }]
  for (const { path, message } of issues) context.addIssue({ code: 'custom', path, message, input: value })
  return z.NEVER
})

function schemaFor(value: unknown): z.ZodType<Filter> | undefined {
  if (!isObject(value)) return undefined
  if ('and' in value) return z.strictObject({ and: several })
  if ('or' in value) return z.strictObject({ or: several })
  if ('not' in value) return z.strictObject({ not: node })
  return comparison
}

/** A filter as it comes in; refused before it is looked into when it is nested too deep. */
export const filter: z.ZodType<Filter> = z
  .unknown()
  .refine((value) => depthOf(value) <= FILTER_MAX_DEPTH, {
    error: `must not be nested more than ${String(FILTER_MAX_DEPTH)} deep`,
    abort: true,
  })
  .meta({
    type: 'object',
    description:
      'One of { and: [filter, ...] }, { or: [filter, ...] }, { not: filter } and { field, op, value }. field: id, version, created_at, updated_at or data.<member>. op: eq, ne, lt, le, gt, ge, in, contains, prefix, is_null (which has no value)',
    examples: [
      {
        and: [
          { field: 'data.done', op: 'eq', value: false },
          { field: 'data.due', op: 'lt', value: '2027' },
        ],
      },
    ],
  })
  .pipe(node)

function depthOf(value: unknown): number {
  let deepest = 0
  const open = [{ value, depth: 1 }]
  for (let next = open.pop(); next && deepest <= FILTER_MAX_DEPTH; next = open.pop()) {
    if (!isObject(next.value)) continue
    deepest = Math.max(deepest, next.depth)
    const { and, or, not } = next.value
    for (const child of [and, or].flat()) open.push({ value: child, depth: next.depth + 1 })
    open.push({ value: not, depth: next.depth + 1 })
  }
  return deepest
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `-data.due`: a field, the greatest first when a minus stands before it. */
export const orderTerm = z
  .string()
  .regex(
    /^-?(id|version|created_at|updated_at|data(\.[A-Za-z0-9_-]{1,64}){1,5})$/,
    'must be a field, with - before it for descending order',
  )

/**
 * `none`: not counted. `planned`: counted up to PLANNED_COUNT_CEILING, which then says "that many or more". `exact`: counted. Always of
 * the owner's own records that the filter lets through, whatever the page. Never a planner's estimate: its statistics are of
 * everybody's records.
 */
export const countMode = z.enum(['none', 'planned', 'exact'])
