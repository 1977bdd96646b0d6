import { open } from '@waybill/auth'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { z } from 'zod'
import packageJson from '../../package.json' with { type: 'json' }

/** What docling-serve's clients ask before they send anything. */
export function healthRoutes(): Route[] {
  return [
    route('GET', '/health', {
      summary: 'Says that the service is up.',
      auth: open('clients of docling-serve ask before they have a credential'),
      output: z.object({ status: z.literal('ok') }),
      handle: () => ({ status: 'ok' as const }),
    }),
    route('GET', '/version', {
      summary: 'The version of this service.',
      auth: open('clients of docling-serve ask before they have a credential'),
      output: z.object({ docling: z.string() }),
      handle: () => ({ docling: packageJson.version }),
    }),
  ]
}
