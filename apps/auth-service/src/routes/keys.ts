import { open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { reply, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Keyring } from '../keys/keyring.ts'

export function keyRoutes({ keyring, maxAgeSeconds }: { keyring: Keyring; maxAgeSeconds: number }): Route[] {
  return [
    route(authService.jwks, {
      auth: open('public keys are there to be read'),
      handle: () =>
        reply(200, { keys: keyring.published() }, { 'Cache-Control': `public, max-age=${maxAgeSeconds}` }),
    }),
  ]
}
