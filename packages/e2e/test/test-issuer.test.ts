import { authEnv, createServiceAuth } from '@waybill/auth'
import type { ServiceAuth } from '@waybill/auth'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createTestIssuer } from '@waybill/dev-env/testing'
import type { TestIssuer } from '@waybill/dev-env/testing'

describe('the issuer for tests', () => {
  let issuer: TestIssuer
  let auth: ServiceAuth
  beforeEach(async () => {
    issuer = await createTestIssuer()
    auth = createServiceAuth({
      config: z.object(authEnv).parse({}),
      issuer: issuer.issuer,
      audiences: ['waybill'],
    })
    await auth.start(new AbortController().signal)
  })
  afterEach(() => auth.close())

  const present = async (sent: { token?: string; apiKey?: string; thumbprint?: string }) =>
    (
      await auth.credentials.verify({
        authorization: sent.token === undefined ? [] : [`Bearer ${sent.token}`],
        apiKey: sent.apiKey === undefined ? [] : [sent.apiKey],
        identity: {},
        ...(sent.thumbprint !== undefined && {
          peer: { service: 'gateway', permissions: [], thumbprint: sent.thumbprint },
        }),
      })
    )?.principal
  /** The feed is followed in its own time. */
  const refusal = async (sent: Parameters<typeof present>[0]): Promise<unknown> => {
    for (;;) {
      try {
        await present(sent)
      } catch (error) {
        return error
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  test('vouches for users, services and API keys', async () => {
    const token = await issuer.userToken('ann', { actors: ['gateway'], tier: 'premium' })
    expect(await present({ token })).toMatchObject({
      ...{ userId: 'ann', sessionId: 'session-of-ann', actors: ['gateway'], tier: 'premium' },
    })
    expect(await present({ token: await issuer.serviceToken('docling') })).toMatchObject({
      service: 'docling',
    })
    expect(await present({ apiKey: issuer.apiKey('bob', { scope: 'tasks.read' }) })).toMatchObject({
      ...{ userId: 'bob', apiKeyId: 'key-of-bob', permissions: ['tasks.read'], via: 'api-key' },
    })
    const keyed = await issuer.userToken('bob', { apiKeyId: 'key-of-bob' })
    expect(await present({ token: keyed })).toMatchObject({ via: 'api-key', apiKeyId: 'key-of-bob' })
  })

  test('binds a token to a certificate', async () => {
    const thumbprint = 'A'.repeat(43)
    const token = await issuer.userToken('ann', { actors: ['gateway'], thumbprint })
    expect(await present({ token, thumbprint })).toMatchObject({ userId: 'ann' })
    await expect(present({ token })).rejects.toMatchObject({ code: 'invalid_token' })
  })

  test('tells of what it revokes', async () => {
    await auth.start(new AbortController().signal)
    const token = await issuer.userToken('ann')
    const apiKey = issuer.apiKey('bob')
    await present({ token })
    await present({ apiKey })
    issuer.revoke({ kind: 'session', id: 'session-of-ann' })
    issuer.revoke({ kind: 'api_key', id: 'key-of-bob' })
    expect(await refusal({ token })).toMatchObject({ code: 'invalid_token' })
    expect(await refusal({ apiKey })).toMatchObject({ code: 'invalid_token' })
  })
})
