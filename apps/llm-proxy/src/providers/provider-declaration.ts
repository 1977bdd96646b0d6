import { llmProxy } from '@waybill/contracts'
import { z } from 'zod'
import { PROTOCOLS } from './built-in.ts'
import { modelPaths } from './open-paths.ts'
import { MAX_TOKENS_PARAMETERS } from './provider-definition.ts'
import type { MaxTokensParameter, ProviderDefinition } from './provider-definition.ts'

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be lower case, begin with a letter and have at most 40 characters')
  .refine((text) => !llmProxy.TAKEN_NAMES.has(text), { error: ({ input }) => `${String(input)} is taken` })

/** Connection-specific ones (RFC 9110, 7.6.1), and those that this service or node writes. */
const NO_CREDENTIAL =
  /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|host|via|cookie|content-.*|proxy-.*|accept.*)$/

const headerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be the name of a header, in lower case')
  .refine((text) => !NO_CREDENTIAL.test(text), { error: 'cannot hold a credential' })

const baseUrl = z.string().transform((text, context) => {
  const url = URL.parse(text)
  const bad =
    url === null || !['http:', 'https:'].includes(url.protocol)
      ? 'must be an http or https URL'
      : url.username !== '' || url.password !== ''
        ? 'must hold no credentials'
        : /[?#]/.test(text)
          ? 'must have no query and no fragment; what every URL gets stands in query'
          : undefined
  if (url === null || bad !== undefined) {
    context.addIssue({ code: 'custom', message: bad ?? '' })
    return z.NEVER
  }
  return url.href.replace(/\/+$/, '')
})

const pathBelow = z.string().regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'must be a path such as /v1')

/** A provider of PROVIDERS_FILE. */
export const providerDeclaration = z
  .strictObject({
    name,
    protocol: z.enum(['openai', 'anthropic', 'gemini'], {
      error: 'must be one of openai, anthropic, gemini',
    }),
    base_url: baseUrl,
    /** Null: nothing of OpenAI's below the base URL. */
    open_ai_path: pathBelow.nullable().optional(),
    private: z.boolean().default(false),
    needs_key: z.boolean().default(true),
    credential_header: headerName.optional(),
    /** What users may ask for, with all that is below; `/` alone opens everything. */
    paths: z
      .array(pathBelow.or(z.literal('/')))
      .min(1)
      .optional(),
    query: z.record(z.string().min(1), z.string()).optional(),
    include_usage: z.boolean().optional(),
    max_tokens_parameter: z
      .enum(MAX_TOKENS_PARAMETERS, {
        error: `must be one of ${MAX_TOKENS_PARAMETERS.join(', ')}`,
      })
      .optional(),
    telemetry_name: z
      .string()
      .regex(/^[a-z0-9._-]{1,64}$/, 'must be a plain name')
      .optional(),
  })
  .superRefine(({ base_url, private: isPrivate }, context) => {
    if (!isPrivate && !base_url.startsWith('https:')) {
      context.addIssue({
        code: 'custom',
        path: ['base_url'],
        message: 'must be https, since the key goes there; http is for `"private": true`',
      })
    }
  })

/** Makes a provider of what the file says of it. */
export function defineProvider(declared: z.output<typeof providerDeclaration>): ProviderDefinition {
  const speaksOpenAi = declared.protocol === 'openai'
  const openAiPath =
    (declared.open_ai_path === undefined && speaksOpenAi ? '/v1' : declared.open_ai_path) ?? undefined
  const protocol = PROTOCOLS[declared.protocol]
  const isGuarded = !declared.private && declared.needs_key
  const paths = declared.paths ?? (isGuarded ? ['/'] : modelPaths({ protocol, openAiPath }))
  return {
    name: declared.name,
    ...{ protocol, openAiPath },
    baseUrl: declared.base_url,
    telemetryName: declared.telemetry_name ?? declared.name,
    allowPrivate: declared.private,
    needsKey: declared.needs_key,
    ...(declared.credential_header !== undefined && { credentialHeader: declared.credential_header }),
    ...(declared.query !== undefined && { query: declared.query }),
    ...(!paths.includes('/') && { paths }),
    includeUsage: declared.include_usage ?? speaksOpenAi,
    maxTokensParameter: declared.max_tokens_parameter ?? usualParameter(declared.base_url),
  }
}

const SERVES_OPENAI = /(^|\.)(api\.openai\.com|(openai|cognitiveservices|services\.ai)\.azure\.(com|us))$/

/** Azure serves OpenAI's models, which have the newer one; of all others the older one is the safer guess. */
function usualParameter(baseUrl: string): MaxTokensParameter {
  return SERVES_OPENAI.test(new URL(baseUrl).hostname) ? 'max_completion_tokens' : 'max_tokens'
}
