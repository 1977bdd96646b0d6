import { isIP } from 'node:net'
import { z } from 'zod'
import { Secret } from './secret.ts'

/** One variable that is missing or wrong. */
export interface ConfigProblem {
  variable: string
  message: string
}

/** The environment does not describe a service that can run; names every problem at once. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(
      ['The configuration is not usable:', ...problems.map((p) => `  ${p.variable}: ${p.message}`)].join(
        '\n',
      ),
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads the configuration from `environment`. An empty variable counts as unset.
 * @throws ConfigError naming every missing or wrong variable; the values themselves are never quoted.
 */
export function loadConfig<S extends z.ZodObject>(schema: S, environment: NodeJS.ProcessEnv): z.output<S> {
  const given: Record<string, string> = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[name]
      return value === undefined || value.trim() === '' ? [] : [[name, value.trim()]]
    }),
  )
  const result = schema.safeParse(given)
  const problems = [
    ...(result.error?.issues ?? []).map((issue) => ({
      variable: issue.path.join('.'),
      message: wordsFor(issue),
    })),
    ...(environment.NODE_ENV?.trim() === 'production' ? secretProblems(secretsOf(schema, given)) : []),
  ]
  if (!result.success || problems.length > 0) throw new ConfigError(problems)
  return result.data
}

/** The secrets that were given, each read by itself: those beside a wrong variable are judged all the same. */
function secretsOf(schema: z.ZodObject, given: Record<string, string>): [string, Secret][] {
  return Object.entries(schema.shape).flatMap(([variable, field]): [string, Secret][] => {
    const value: unknown = (field as z.ZodType).safeParse(given[variable]).data // all that a shape may hold
    return value instanceof Secret ? [[variable, value]] : []
  })
}

function wordsFor(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' && issue.message.includes('undefined') ? 'is required' : issue.message
}

const MIN_SECRET_BYTES = 32
const PUBLIC_SECRETS =
  /change-?me|change-this|your-|example|secret-?key|password|default|test-?secret|^(.)\1*$/i

/** In production a secret must be long and not one that stands in somebody's documentation. */
function secretProblems(secrets: readonly [string, Secret][]): ConfigProblem[] {
  return secrets.flatMap(([variable, value]) => {
    if (variable.endsWith('_URL')) return []
    if (Buffer.byteLength(value.reveal()) < MIN_SECRET_BYTES) {
      return [{ variable, message: `is shorter than ${String(MIN_SECRET_BYTES)} bytes` }]
    }
    return PUBLIC_SECRETS.test(value.reveal())
      ? [{ variable, message: 'is a default or published secret' }]
      : []
  })
}

interface Range {
  min: number
  max: number
  default: number
}

const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' })
const withoutSlash = (text: string): string => text.replace(/\/+$/, '')

const within = ({ min, max }: Range) =>
  z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`)

/** The kinds of variable that services have. */
export const env = {
  int: (range: Range) =>
    z
      .string()
      .regex(/^-?\d+$/, 'must be a whole number')
      .transform(Number)
      .pipe(within(range))
      .default(range.default),
  /** A number that may have a fraction, `0.5` for one. */
  number: (range: Range) =>
    z
      .string()
      .regex(/^\d+(\.\d+)?$/, 'must be a number')
      .transform(Number)
      .pipe(within(range))
      .default(range.default),
  text: (value?: string) => (value === undefined ? z.string() : z.string().default(value)),
  choice: <const T extends [string, ...string[]]>(choices: T, value: T[number]) =>
    z.enum(choices, { error: `must be one of ${choices.join(', ')}` }).default(value as never),
  flag: (value: boolean) =>
    z
      .enum(['true', 'false'], { error: 'must be true or false' })
      .default(value ? 'true' : 'false')
      .transform((text) => text === 'true'),
  /** An http(s) URL without a trailing slash. */
  url: (value?: string) => (value === undefined ? url : url.default(value)).transform(withoutSlash),
  secret: () => z.string().transform((text) => new Secret(text)),
  /** A comma-separated list. */
  list: (value: string[]) =>
    z
      .string()
      .transform((text) =>
        text
          .split(',')
          .map((part) => part.trim())
          .filter(Boolean),
      )
      .default(value),
  /** A comma-separated list of CIDR ranges or addresses. */
  cidrs: () =>
    env.list([]).refine((ranges) => ranges.every(isCidr), {
      error: 'must be CIDR ranges such as 10.0.0.0/8, separated by commas',
    }),
} as const

function isCidr(range: string): boolean {
  const [address = '', bits, ...rest] = range.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  // A range of /0 would believe everybody; Express refuses it too, but without naming the variable.
  const size = Number(bits)
  return bits === undefined || (/^\d+$/.test(bits) && size >= 1 && size <= (version === 4 ? 32 : 128))
}
