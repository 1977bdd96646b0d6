import { z } from 'zod'

/**
 * What a user keeps: any JSON object. In `lancedb`, `data.vector`, if there is one, is what the record is found by: finite numbers,
 * not all 0, kept as 32-bit floats, as many as in the owner's other records of the collection.
 */
export const recordData = z
  .unknown()
  .refine((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
    error: 'must be an object',
  })
  // Not z.record, which makes a copy and leaves out a member called __proto__: what was sent is what is kept.
  .meta({ type: 'object', additionalProperties: true }) as z.ZodType<
  Record<string, unknown>,
  Record<string, unknown>
> // as the refinement has seen
