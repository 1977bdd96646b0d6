import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { importKeySet } from '../src/keys/key-set.ts'
import { checkSignature, readJws } from '../src/token/jws.ts'

// Test vectors of C2SP Wycheproof, which are not part of this project: WYCHEPROOF_DIR says where they are.
const FOLDER =
  process.env.WYCHEPROOF_DIR ?? new URL('../../../../shared/corpus/jwt', import.meta.url).pathname

interface Vector {
  tcId: number
  comment: string
  jws?: unknown
  result: 'valid' | 'invalid'
}
interface Group {
  private?: object
  public?: object
  tests: Vector[]
}

/** Whether the token is accepted with the keys of its group, imported and verified as in a service. */
function isAccepted(group: Group, jws: unknown): boolean {
  const given = group.public ?? group.private ?? {}
  try {
    const keys = importKeySet('keys' in given ? given : { keys: [given] })
    const token = readJws(typeof jws === 'string' ? jws : JSON.stringify(jws))
    checkSignature(token, keys.get(token.header.kid))
    return true
  } catch {
    return false
  }
}

describe.each<[file: string, total: number, faults: number[]]>([
  // 346 and 350 label a PS384 token's key PS256, 347 and 351 name an algorithm that does not exist, 367 and 370 are the
  // valid 357, and 372 and 373 are marked valid with a question mark in them.
  ['json_web_signature_test.json', 401, [346, 347, 350, 351, 367, 370, 372, 373]],
  // A key of the ROCA weakness, which no other check of it shows.
  ['json_web_key_test.json', 26, [7]],
  ['json_web_crypto_test.json', 49, [46]],
])('%s', (file, total, faults) => {
  const path = `${FOLDER}/${file}`
  if (!existsSync(path)) {
    process.stderr.write(`SKIPPED: Wycheproof ${file} is not at ${FOLDER}; set WYCHEPROOF_DIR\n`)
    test.skip(`SKIPPED for want of ${file}: every vector is answered as it says`, () => undefined)
    return
  }
  const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as { testGroups: Group[] }
  const vectors = testGroups.flatMap((group) => group.tests.map((vector) => ({ group, ...vector })))
  const signed = vectors.filter(({ jws }) => jws !== undefined)

  test('every vector is answered as it says, but for the faults of the file', () => {
    const wrong = signed.filter(({ group, jws, result }) => isAccepted(group, jws) !== (result === 'valid'))
    expect(signed).toHaveLength(total)
    expect(wrong.map(({ tcId }) => tcId)).toEqual(faults)
  })
})
