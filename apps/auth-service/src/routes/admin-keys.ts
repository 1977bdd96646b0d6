import { signedIn } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Keyring } from '../keys/keyring.ts'

export function adminKeyRoutes({ keyring }: { keyring: Keyring }): Route[] {
  const keys = async () => ({
    keys: (await keyring.list()).map(({ kid, alg, state, createdAt, changedAt }) => ({
      ...{ kid, alg, state },
      created_at: createdAt.toISOString(),
      changed_at: changedAt.toISOString(),
    })),
  })
  return [
    route(authService.listSigningKeys, { auth: signedIn('auth.admin'), handle: keys }),

    route(authService.rotateSigningKeys, {
      auth: signedIn('auth.admin'),
      problems: ['conflict'],
      async handle() {
        await keyring.rotate()
        return keys()
      },
    }),

    route(authService.revokeSigningKey, {
      auth: signedIn('auth.admin'),
      problems: ['not_found', 'conflict'],
      async handle({ params }) {
        await keyring.revoke(params.kid)
        return keys()
      },
    }),
  ]
}
