import { describe, expect, it } from 'vitest'
import { createCommonPasswords } from '../src/people/common-passwords.ts'
import { createPasswordPolicy } from '../src/people/password-policy.ts'
import type { PolicyName } from '../src/people/password-policy.ts'

const JOHN = { username: 'john_doe', email: 'john.doe@example.com' }

function faultOf(password: string, policy: PolicyName = 'asvs', owner = JOHN): string | undefined {
  const rules = createPasswordPolicy({ policy, minLength: 8, contextWords: ['waybill'] })
  try {
    rules.require(password, owner, 'password')
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

describe('the policy asvs', () => {
  it.each([
    ['eight lower case letters and nothing else (ASVS 6.2.5)', 'qmzvkrtp'],
    ['64 characters (ASVS 6.2.9)', 'long and winding '.repeat(4)],
    ['spaces and letters of any script', 'пароль на сегодня'],
    ['the example of seed 002', 'SecurePassword123!'],
    ['four different characters, whatever they are', 'kqkqzvzv'],
    ['letters outside the basic plane, counted as people count them', '𝒶𝒷𝒸𝒹𝒷𝓏𝓆𝓁'],
  ])('takes %s', (_, password) => {
    expect(faultOf(password)).toBeUndefined()
  })

  it.each([
    ['seven characters', 'qmzvkrt', 'at least 8'],
    ['seven characters that are fourteen UTF-16 units', '𝒶𝒷𝒸𝒹𝒷𝓏𝓆', 'at least 8'],
    ['seven characters, one of them with its accent apart', 'qmzvkre\u0301', 'at least 8'],
    ['a common password', 'password1', 'most common'],
    ['a common password in other letters', 'PassWord1', 'most common'],
    ['a common password in full width', 'ｐａｓｓｗｏｒｄ１', 'most common'],
    ['one character eight times', 'ȝȝȝȝȝȝȝȝ', '4 different'],
    ['spaces alone', ' '.repeat(8), '4 different'],
    ['three characters, however many of them', 'ȝþƿ'.repeat(20), '4 different'],
    ['three characters, each in two widths', 'qｑzｚkｋqｑzｚkｋ', '4 different'],
    ['the username', 'john_doe', 'a name'],
    ['the username twice', 'john_doeJOHN_DOE', 'a name'],
    ['the username and a year', 'john_doe1984', 'a name'],
    ['the e-mail address', 'John.Doe@Example.com', 'a name'],
    ['the name of the product', 'waybill1!', 'a name'],
  ])('refuses %s', (_, password, why) => {
    expect(faultOf(password)).toContain(why)
  })

  it('does not take a short name, which stands in many words, for one', () => {
    expect(faultOf('anagrams of it', 'asvs', { username: 'an', email: 'it@x.test' })).toBeUndefined()
  })

  it('quotes nothing of the password', () => {
    expect(faultOf('password1')).not.toContain('password1')
  })
})

describe('the policy seed', () => {
  it.each([
    ['SecurePassword123!', undefined],
    ['securepassword123!', 'upper case'],
    ['SECUREPASSWORD123!', 'lower case'],
    ['SecurePassword!', 'digit'],
    ['SecurePassword123', 'neither a letter nor a digit'],
    ['Aa1!', 'at least 8'],
    ['Aa1①Aa1①', '4 different'],
  ])('%s: %s', (password, why) => {
    if (why === undefined) expect(faultOf(password, 'seed')).toBeUndefined()
    else expect(faultOf(password, 'seed')).toContain(why)
  })
})

it('the list has more than the 3,000 passwords that ASVS 6.2.4 asks for, and they can be chosen by length', () => {
  const common = createCommonPasswords()
  expect(common.size).toBeGreaterThan(40_000)
  for (const password of ['12345678', 'qwertyuiop', 'iloveyou', 'football1'])
    expect(common.includes(password)).toBe(true)
})
