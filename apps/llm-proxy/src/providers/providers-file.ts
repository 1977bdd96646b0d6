import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { routeDeclaration } from '../routing/route-declaration.ts'
import { providerDeclaration } from './provider-declaration.ts'
import { wrongFile } from './wrong-file.ts'

/** Money is counted in millionths. */
const amount = z
  .number()
  .nonnegative()
  .max(1_000_000)
  .refine((value) => /^\d+(\.\d{1,6})?$/.test(String(value)), { error: 'must have at most six decimals' })

/** What a million tokens of a model cost. */
const price = z.strictObject({
  provider: z.string().min(1),
  /** As the answer names it, or else the request; exact, or with `*` at its end. */
  model: z.string().min(1),
  input_per_million: amount,
  output_per_million: amount,
  /** Of input that came from the provider's cache; as other input unless said. */
  cached_input_per_million: amount.optional(),
  /** ISO 4217. */
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be a currency such as USD'),
})

const file = z.strictObject({
  providers: z.array(providerDeclaration).default([]),
  routes: z.array(routeDeclaration).default([]),
  prices: z.array(price).default([]),
})

export type ProvidersFile = z.output<typeof file>

/**
 * What the file at `path` says; nothing when there is no path.
 * @throws ConfigError naming everything that is wrong in it, by its place
 */
export function readProvidersFile(path: string): ProvidersFile {
  if (path === '') return { providers: [], routes: [], prices: [] }
  const parsed = file.safeParse(json(text(path)))
  if (parsed.success) return parsed.data
  throw wrongFile(parsed.error.issues.map((issue) => [...issue.path.map(String), issue.message]))
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw wrongFile([[`cannot be read (${reason})`]], error)
  }
}

function json(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    // No cause: its message quotes the file.
    throw wrongFile([['is not JSON']])
  }
}
