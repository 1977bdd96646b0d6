import { z } from 'zod'

const ALSO_BELOW_500 = [408, 409, 425, 429]

/** What may be tried again: an answer's status, or an attempt that brought no answer. */
const failure = z
  .union([z.int(), z.enum(['refused', 'broken', 'timeout'])])
  .refine(
    (what) => typeof what === 'string' || ALSO_BELOW_500.includes(what) || (what >= 500 && what <= 599),
    {
      error: 'must be 408, 409, 425, 429, one of 500 to 599, "refused", "broken" or "timeout"',
    },
  )
export type Failure = z.output<typeof failure>

/** What is tried elsewhere where a route has fallbacks and does not say what for. */
export const FAILURES: readonly Failure[] = [
  ...[408, 429, 500, 502, 503, 504, 529],
  ...(['refused', 'broken', 'timeout'] as const),
]

const place = {
  provider: z.string().min(1),
  model: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
}

export const routeDeclaration = z
  .strictObject({
    /** What requests on /v1 and /llm may say in place of a model. Without a slash, so that no provider's model is meant. */
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/, 'must be letters, digits and ._:- and have no slash')
      .optional(),
    match: z
      .strictObject({
        provider: z.string().min(1).optional(),
        model: z
          .string()
          .regex(/^([^*]+\*?|\*)$/, 'must be a model, or the beginning of one with * after it')
          .optional(),
        operation: z.enum(['chat', 'text_completion', 'embeddings', 'generate_content', 'other']).optional(),
      })
      .optional(),
    /** None: where the request was going anyhow. */
    targets: z
      .array(z.strictObject({ ...place, weight: z.number().positive().max(1_000_000).default(1) }))
      .default([]),
    fallbacks: z.array(z.strictObject(place)).default([]),
    retries: z
      .strictObject({
        /** Beyond the first, at the same target. */
        attempts: z.int().min(0).max(10),
        on: z.array(failure).default([...FAILURES]),
        /** Retries that each request earns: 0.2 means at most a fifth more load on a provider in trouble. */
        budget: z.number().min(0).max(1).default(0.2),
        max_pause_ms: z.int().min(0).max(60_000).default(5_000),
      })
      .optional(),
    breaker: z
      .strictObject({
        /** So many in a row, */
        failures: z.int().min(1).max(1_000),
        /** none of them older than this, */
        window_ms: z.int().min(100).max(3_600_000).default(60_000),
        /** and nothing is sent there for so long. */
        cool_down_ms: z.int().min(100).max(3_600_000).default(30_000),
      })
      .optional(),
  })
  .superRefine((route, context) => {
    const fault = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    if (route.name === undefined && route.match === undefined) {
      fault([], 'needs a name, a match or both; `"match": {}` is everything')
    }
    if (route.name === undefined) return
    if (route.targets.length === 0) fault(['targets'], 'a route with a name needs one at least')
    for (const list of ['targets', 'fallbacks'] as const) {
      for (const [index, { model }] of route[list].entries()) {
        if (model === undefined) fault([list, index, 'model'], 'is needed in a route with a name')
      }
    }
  })

/** A route of PROVIDERS_FILE. */
export type RouteDeclaration = z.output<typeof routeDeclaration>
