import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { createVerifier, signAccessToken } from '../src/index.ts'
import { ISSUER, NOW } from './forge.ts'

test('a token that is issued here is accepted here, lives as long as it says and has an id of its own', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const grant = {
    claims: { iss: ISSUER, aud: 'docling', sub: 'u1', client_id: 'x', scope: '', principal: 'user' as const },
    lifetimeSeconds: 60,
  }
  const key = { kid: 'k9', alg: 'ES256', privateKey }
  const issued = await Promise.all([signAccessToken(key, grant, NOW), signAccessToken(key, grant, NOW)])
  const verifier = createVerifier({
    keys: { find: () => Promise.resolve({ kid: 'k9', alg: 'ES256', key: publicKey }) },
    issuer: ISSUER,
    audiences: ['docling'],
    skewSeconds: 0,
    maxLifetimeSeconds: 60,
    cacheSize: 0,
    now: () => NOW * 1000,
  })
  const claims = await Promise.all(issued.map(({ token }) => verifier.verify(token)))
  expect(claims[0]).toMatchObject({ ...grant.claims, iat: NOW, nbf: NOW, exp: NOW + 60 })
  expect(issued[0].expiresIn).toBe(60)
  expect(claims[0]!.jti).not.toBe(claims[1]!.jti)
})
