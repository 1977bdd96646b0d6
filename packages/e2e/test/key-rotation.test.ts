import { authService } from '@waybill/contracts'
import { startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { z } from 'zod'
import { ask } from '../src/user.ts'
import type { Answer } from '../src/user.ts'

let platform: Platform
let admin: string

type Session = z.output<typeof authService.session>

beforeAll(async () => {
  // As in production, an hour and a minute there, only sooner.
  const sooner = { SIGNING_KEY_PUBLISH_SECONDS: '3', JWKS_REFRESH_SECONDS: '1', JWKS_COOLDOWN_SECONDS: '1' }
  platform = await startPlatform({ env: { ...process.env, LOG_LEVEL: 'warn', ...sooner } })
  admin = (await logIn(platform.accounts.find(({ role }) => role === 'admin')!)).access_token
})
afterAll(() => platform.close())

async function logIn({ username, password }: { username: string; password: string }): Promise<Session> {
  const { status, body } = await ask(`${platform.services.gateway}/auth/login`, {
    json: { username, password },
  })
  expect(status, JSON.stringify(body)).toBe(200)
  return authService.session.parse(body)
}

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
const keyOf = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: unknown }).kid

/** Rotates as soon as the next key has been published for long enough. */
async function rotate(): Promise<void> {
  for (;;) {
    const { status } = await ask(`${platform.services['auth-service']}/auth/admin/keys/rotate`, {
      method: 'POST',
      ...bearer(admin),
    })
    if (status === 200) return
    expect(status).toBe(409)
  }
}

it('signing keys rotate under running requests, and none of them fails', async () => {
  const { gateway } = platform.services
  let session = await logIn(platform.accounts[0]!)
  const failures: Answer[] = []
  const keys = new Set<unknown>()
  let served = 0
  let rotating = true

  const expectGood = (answer: Answer): Answer => {
    served += 1
    if (answer.status !== 200) failures.push(answer)
    return answer
  }
  const reading = async (): Promise<void> => {
    while (rotating) {
      expectGood(await ask(`${gateway}/data/v1/backends`, bearer(session.access_token)))
      expectGood(await ask(`${platform.services.data_store}/v1/backends`, bearer(session.access_token)))
    }
  }
  const refreshing = async (): Promise<void> => {
    while (rotating) {
      const json = { refresh_token: session.refresh_token }
      session = authService.session.parse(expectGood(await ask(`${gateway}/auth/refresh`, { json })).body)
      keys.add(keyOf(session.access_token))
    }
  }
  const rotations = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn += 1) await rotate()
    const last = keys.size
    // Until a token of the newest key has been through every service.
    while (keys.size <= 3 && keys.size === last) await ask(`${gateway}/livez`)
    rotating = false
  }
  await Promise.all([reading(), reading(), refreshing(), rotations()])

  expect(failures).toEqual([])
  expect(keys.size).toBeGreaterThanOrEqual(3)
  expect(served).toBeGreaterThan(50)
})

it('a signing key that is revoked takes its tokens with it, and sessions go on with the next key', async () => {
  const { gateway, 'auth-service': auth } = platform.services
  const session = await logIn(platform.accounts[0]!)
  const kid = String(keyOf(session.access_token))
  const revoked = await ask(`${auth}/auth/admin/keys/${kid}`, { method: 'DELETE', ...bearer(admin) })
  expect(revoked.status, JSON.stringify(revoked.body)).toBe(200)
  for (;;) {
    if ((await ask(`${gateway}/data/v1/backends`, bearer(session.access_token))).status === 401) break
  }
  const json = { refresh_token: session.refresh_token }
  const { status, body } = await ask(`${gateway}/auth/refresh`, { json })
  expect(status).toBe(200)
  const renewed = String(body.access_token)
  expect(keyOf(renewed)).not.toBe(kid)
  // The next key was made a moment ago, so services may first have to fetch it.
  for (;;) {
    const { status: answered } = await ask(`${gateway}/data/v1/backends`, bearer(renewed))
    if (answered === 200) break
    expect(answered).toBe(401)
  }
})
