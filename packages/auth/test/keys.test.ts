import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { importKeySet } from '../src/keys/key-set.ts'
import { importKey } from '../src/index.ts'
import { publicJwk } from './forge.ts'

const ec = await publicJwk('ec')
const rsaOf = (modulusLength: number, publicExponent = 65_537): object =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' })
const rsa = { ...rsaOf(2_048), kid: 'rsa', alg: 'RS256' }
const secret = { kty: 'oct', kid: 'secret', alg: 'HS256', k: Buffer.alloc(32, 7).toString('base64url') }
const ed = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'ed', alg: 'EdDSA' }

describe('a key', () => {
  test.each([
    ['EC', ec, 'public'],
    ['RSA', rsa, 'public'],
    ['Ed25519', ed, 'public'],
    ['a secret', secret, 'secret'],
    ['for signatures by use and key_ops', { ...ec, use: 'sig', key_ops: ['sign', 'verify'] }, 'public'],
  ])('%s is imported for the one algorithm that it names', (_name, jwk, type) => {
    const { kid, alg, key } = importKey(jwk)
    expect({ kid, alg, type: key.type }).toEqual({ kid: jwk.kid, alg: jwk.alg, type })
  })

  test.each<[string, object]>([
    ['without alg', { ...ec, alg: undefined }],
    ['without kid', { ...ec, kid: undefined }],
    ['with an empty kid', { ...ec, kid: '' }],
    ['whose curve is not that of the algorithm', { ...ec, alg: 'ES384' }],
    ['whose type is not that of the algorithm', { ...ec, alg: 'RS256' }],
    ['public, for HMAC', { ...ec, alg: 'HS256' }],
    ['secret, for ECDSA', { ...secret, alg: 'ES256' }],
    ['of an algorithm that does not exist', { ...ec, alg: 'ES521' }],
    ['of an algorithm that every object has', { ...ec, alg: 'constructor' }],
    ['for encryption', { ...ec, use: 'enc' }],
    ['for signing only', { ...ec, key_ops: ['sign'] }],
    ['with a private member', { ...ec, d: ec.x }],
    ['with an empty private member', { ...rsa, d: '' }],
    ['with a point that is not on the curve', { ...ec, y: ec.x }],
    ['RSA of 1024 bits', { ...rsaOf(1_024), kid: 'rsa', alg: 'RS256' }],
    ['RSA with the exponent 3', { ...rsaOf(2_048, 3), kid: 'rsa', alg: 'RS256' }],
    ['RSA for PSS without a modulus', { kty: 'RSA', kid: 'rsa', alg: 'PS256', e: 'AQAB' }],
    ['a secret shorter than its hash', { ...secret, alg: 'HS384' }],
    ['an empty secret', { ...secret, k: '' }],
    ['a secret in another spelling', { ...secret, k: `${secret.k}=` }],
    ['a secret that is none', { kty: 'oct', kid: 'secret', alg: 'HS256' }],
  ])('%s is refused', (_name, jwk) => {
    expect(() => importKey(jwk)).toThrow()
  })
})

describe('a set of keys', () => {
  test('passes over what is for other uses', () => {
    const keys = importKeySet({ keys: [ec, { ...rsa, use: 'enc' }, { kty: 'AKP', kid: 'pq' }] })
    expect([...keys.keys()]).toEqual(['ec'])
  })

  test.each<[string, unknown]>([
    ['mixes secrets with public keys', { keys: [ec, secret] }],
    ['mixes them even where the secret cannot be used', { keys: [ec, { kty: 'oct' }] }],
    ['holds two keys of the same id', { keys: [ec, { ...rsa, kid: 'ec' }] }],
    ['holds two of the same id, one for another use', { keys: [ec, { ...rsa, kid: 'ec', use: 'enc' }] }],
    ['is none', { keys: 'ec' }],
    ['is endless', { keys: Array.from({ length: 101 }, (_, at) => ({ ...ec, kid: String(at) })) }],
  ])('that %s is refused whole', (_name, document) => {
    expect(() => importKeySet(document)).toThrow()
  })
})
