import type { z } from 'zod'
import { Problem } from './problem.ts'
import type { Route } from './route.ts'

interface FieldError {
  in: 'params' | 'query' | 'body'
  path: string
  message: string
}

/**
 * The validated parts of a request.
 * @throws Problem `validation_failed` with every field that is wrong in `errors`; values are not quoted.
 */
export function validate(input: Route['input'], given: { params: unknown; query: unknown; body: unknown }) {
  const errors: FieldError[] = []
  const read = (part: FieldError['in']): unknown => {
    const schema = input[part]
    if (!schema) return undefined
    // No body reads as an empty object, so that what is missing is named; null is a body, and a wrong one.
    const result = schema.safeParse(given[part] === undefined ? {} : given[part])
    if (result.success) return result.data
    errors.push(
      ...result.error.issues.map((issue) => ({
        in: part,
        path: issue.path.join('.'),
        message: issue.message,
      })),
    )
    return undefined
  }
  const valid = { params: read('params'), query: read('query'), body: read('body') }
  if (errors.length === 0) return valid
  const first = errors[0]
  const where = [first?.in, first?.path].filter(Boolean).join('.')
  throw new Problem('validation_failed', `${where}: ${first?.message ?? 'is not valid'}`, {
    extensions: { errors: errors.slice(0, 20) },
  })
}

/** What the handler returned, held to the route's promise. A mismatch is our own fault: an internal error. */
export function checkOutput(schema: z.ZodType | undefined, value: unknown): unknown {
  if (!schema || value === undefined) return value
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const fields = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
  throw new Error(`the answer does not have the promised form (${fields})`)
}
