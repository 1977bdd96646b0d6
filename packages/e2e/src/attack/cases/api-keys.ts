import { skip } from '../case.ts'
import type { AttackCase, Verdict } from '../case.ts'
import { eachRefused } from '../judge.ts'
import type { Target } from '../target.ts'
import type { RawRequest } from '../wire.ts'

/** Requests made of the good key, all of which must be refused. */
const refused =
  (build: (key: string, target: Target) => readonly (readonly [what: string, request: RawRequest])[]) =>
  (target: Target): Promise<Verdict> =>
    target.apiKey === undefined
      ? Promise.resolve(skip(target.apiKeyTrouble ?? 'needs a good API key: --api-key'))
      : eachRefused(target, build(target.apiKey, target))

const swapCase = (text: string): string =>
  text.replace(/[a-z]/gi, (char) => (char < 'a' ? char.toLowerCase() : char.toUpperCase()))

/** The key of another, as near to the good one as can be. */
const neighbours = (key: string): Record<string, string> => ({
  'cut short': key.slice(0, -1),
  'one more': `${key}0`,
  'other last letter': key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'),
  'other letter within': `${key.slice(0, 8)}${key[8] === '0' ? '1' : '0'}${key.slice(9)}`,
  'other case': swapCase(key),
  'no prefix': key.replace(/^[a-z]+_/, ''),
  'prefix twice': key.replace(/^([a-z]+_)/, '$1$1'),
  quoted: `"${key}"`,
  'a list': `${key}, ${key}`,
  'a space within': `${key.slice(0, 8)} ${key.slice(8)}`,
  'percent-encoded': key.replace('_', '%5F'),
  'a pattern': `${key.slice(0, 8)}%`,
  'a condition': `${key}' OR '1'='1`,
})

export const apiKeyCases: AttackCase[] = [
  {
    id: 'api-keys/near-misses',
    rule: 'CWE-287: a key is right or wrong as a whole',
    expects: '401 or 400',
    run: refused((key) =>
      Object.entries(neighbours(key)).map(([what, other]) => [what, { headers: [`X-API-Key: ${other}`] }]),
    ),
  },
  {
    id: 'api-keys/in-other-places',
    rule: 'RFC 9700 section 4.3.2: not in a URL, and nowhere undocumented',
    expects: '401 or 400',
    run: refused((key, { guarded: { path } }) => [
      ...['api_key', 'apikey', 'key', 'x-api-key', 'token'].map(
        (name) => [`?${name}=`, { path: `${path}${path.includes('?') ? '&' : '?'}${name}=${key}` }] as const,
      ),
      ['X_API_Key', { headers: [`X_API_Key: ${key}`] }],
      ['X-API_Key', { headers: [`X-API_Key: ${key}`] }],
      ['Cookie', { headers: [`Cookie: api_key=${key}; x-api-key=${key}`] }],
      ['Proxy-Authorization', { headers: [`Proxy-Authorization: ${key}`] }],
    ]),
  },
]
