import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** Which providers there are, and where; spread into the service's schema. */
export const providersEnv = {
  PROVIDERS_FILE: env
    .text('')
    .describe(
      'A JSON file of further providers, of routes (weights, retries, fallbacks, circuit breakers) and of prices; empty: none',
    ),
  PROVIDER_URLS: env
    .list([])
    .refine((pairs) => pairs.every((pair) => /^[^=]+=https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/.test(pair)), {
      error: 'must be pairs such as openai=http://127.0.0.1:9000, separated by commas',
    })
    .describe(
      'Other base URLs for providers, `openai=http://127.0.0.1:9000,...`; these may have private addresses',
    ),
  PRIVATE_UPSTREAMS: env
    .list([])
    .refine((origins) => origins.every((origin) => URL.parse(origin)?.origin === origin), {
      error: 'must be origins such as http://10.0.0.5:8000, separated by commas',
    })
    .describe("Origins with private addresses that the base URL of a user's key may name nevertheless"),
}

export type ProvidersConfig = z.output<z.ZodObject<typeof providersEnv>>
