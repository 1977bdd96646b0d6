import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readAccessToken } from '../src/token/access-token.ts'
import { parseStrictObject } from '../src/token/strict-json.ts'
import { CLAIMS, forge, HEADER, verifying } from './forge.ts'

const refused = expect.objectContaining({ code: 'invalid_token', status: 401 })
const canonical = (part: string): boolean => Buffer.from(part, 'base64url').toString('base64url') === part

/** Refused as it should be, or read. Any other error fails the test. */
function read(text: string): ReturnType<typeof readAccessToken> | undefined {
  try {
    return readAccessToken(text)
  } catch (error) {
    expect(error).toEqual(refused)
    return undefined
  }
}

/** That of base64url, and some that do not belong to it. */
const ALPHABET = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n?')
const base64url = fc
  .array(fc.constantFrom(...ALPHABET), {
    maxLength: 40,
  })
  .map((characters) => characters.join(''))
const anyToken = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(base64url, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')),
  fc
    .tuple(fc.jsonValue(), fc.jsonValue(), base64url)
    .map(
      ([header, payload, signature]) =>
        [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') +
        `.${signature}`,
    ),
  // What has the right header, so that the rest is looked at too.
  fc
    .tuple(fc.jsonValue(), base64url)
    .map(([payload, signature]) => `${forge(payload).split('.').slice(0, 2).join('.')}.${signature}`),
)

describe('the parser', () => {
  test('refuses any text as invalid_token, or reads one that is written in the only way it can be', () => {
    fc.assert(
      fc.property(anyToken, (text) => {
        const token = read(text)
        if (!token) return
        const parts = text.split('.')
        expect(parts).toHaveLength(3)
        expect(parts.every((part) => part !== '' && canonical(part))).toBe(true)
        expect(token.payload).toBeTypeOf('object')
      }),
      { numRuns: 2_000 },
    )
  })

  test('reads every access token back as it was written', () => {
    const claims = fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
      fc.jsonValue(),
    )
    fc.assert(
      fc.property(claims, (payload) => {
        const token = read(forge(payload))
        expect(token?.payload).toEqual(JSON.parse(JSON.stringify(payload)))
        expect(token?.jws.header).toEqual(HEADER)
      }),
      { numRuns: 200 },
    )
  })
})

/** Changes of a text that leave something else than the text. */
const change = fc.oneof(
  fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 0x17f }) }).map(({ at, to }) => (text: string) => {
    const index = at % text.length
    return text.slice(0, index) + String.fromCharCode(to) + text.slice(index + 1)
  }),
  fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }).map(({ at, bit }) => (text: string) => {
    const bytes = Buffer.from(text, 'latin1')
    const index = at % bytes.length
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
    return bytes.toString('latin1')
  }),
  fc.constantFrom(' ', '\n', '=', '==', '.', 'A', '\0', '%20').map((more) => (text: string) => text + more),
  fc.constantFrom(' ', '\n', '.', 'Bearer ').map((more) => (text: string) => more + text),
  fc
    .nat()
    .map((at) => (text: string) => text.slice(0, at % text.length) + text.slice((at % text.length) + 1)),
  fc.shuffledSubarray([0, 1, 2], { minLength: 3 }).map((order) => (text: string) => {
    const parts = text.split('.')
    return order.map((at) => parts[at] ?? '').join('.')
  }),
  fc
    .record({ part: fc.constantFrom(0, 1, 2), as: fc.constantFrom('base64' as const, 'hex' as const) })
    .map(({ part, as }) => (text: string) => {
      const parts = text.split('.')
      parts[part] = Buffer.from(parts[part] ?? '', 'base64url').toString(as)
      return parts.join('.')
    }),
  fc.constantFrom(0, 1).map((part) => (text: string) => {
    const parts = text.split('.')
    // The same members, written with more space.
    const spaced = Buffer.from(parts[part] ?? '', 'base64url')
      .toString()
      .replaceAll(',', ', ')
    parts[part] = Buffer.from(spaced).toString('base64url')
    return parts.join('.')
  }),
)

test('no mutation of a valid token is accepted, remembered or not', async () => {
  const verify = await verifying()
  const token = forge()
  expect(await verify(token)).toMatchObject(CLAIMS)
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const mutant = changes.reduce((text, apply) => (text === '' ? text : apply(text)), token)
      fc.pre(mutant !== token)
      await expect(verify(mutant)).rejects.toEqual(refused)
    }),
    { numRuns: 1_000 },
  )
})

describe('the strict reader of JSON', () => {
  const strictly = (text: string): unknown => parseStrictObject(Buffer.from(text))

  test('agrees with JSON.parse on every object without repeated members, however it is spaced', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.nat(4),
        (value, indent) => {
          // Halves of surrogate pairs have no spelling in UTF-8, except as escapes.
          const text = JSON.stringify(value, null, indent)
          expect(strictly(text)).toEqual(JSON.parse(text))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('refuses any object in which a member is repeated, at any depth and in any spelling', () => {
    const escaped = (name: string): string =>
      `"${Array.from({ length: name.length }, (_, at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
    const member = fc.tuple(fc.string(), fc.jsonValue())
    const spelling = fc.constantFrom(JSON.stringify, escaped)
    const wrap = fc.constantFrom(
      (text: string) => text,
      (text: string) => `{"outer":${text}}`,
      (text: string) => `{"list":[1,"}",${text}]}`,
      (text: string) => `{"a{":{"b":[${text}]},"c":"\\""}`,
    )
    fc.assert(
      fc.property(
        fc.array(member, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        spelling,
        wrap,
        (members, at, spell, nest) => {
          const written = members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
          const [repeated] = members[at % members.length]!
          const text = nest(`{${[...written, `${spell(repeated)} : 0`].join(' , ')}}`)
          JSON.parse(text) // it is JSON, only not strictly
          expect(() => strictly(text)).toThrow('named twice')
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('refuses what is not one JSON object', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          let value: unknown
          try {
            value = JSON.parse(text)
          } catch {
            value = undefined
          }
          const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
          if (!isObject) expect(() => strictly(text)).toThrow()
        },
      ),
      { numRuns: 500 },
    )
  })
})
