import { hasDoneNothing } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import { didNothing, nothingDone } from '../src/refusal.ts'

test('a refusal did nothing; of what failed nobody knows, unless who threw it has said so', () => {
  const problem = (code: 'conflict' | 'not_implemented' | 'unavailable' | 'client_closed') =>
    new Problem(code, '')
  expect((['conflict', 'not_implemented', 'unavailable', 'client_closed'] as const).map((code) => didNothing(problem(code)))).toEqual([true, true, false, false]) // prettier-ignore
  expect([didNothing(new Error('x')), didNothing(nothingDone(new Error('x')))]).toEqual([false, true])
  expect(didNothing(nothingDone('no error'))).toBe(false)
})

test.each([
  [500, '57014', true],
  [500, '40P01', true],
  [503, 'PGRST000', true],
  [504, 'PGRST003', true],
  [401, '', true],
  [429, '', true],
  [503, 'PGRST001', false],
  [500, '57P01', false],
  [500, '08006', false],
  [502, '', false],
  [504, '', false],
])('PostgREST answers %i "%s": that nothing was done is certain: %s', (status, code, isCertain) => {
  expect(hasDoneNothing({ status, headers: {}, body: code === '' ? '' : { code } })).toBe(isCertain)
})
