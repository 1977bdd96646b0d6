import { describe, expect, test } from 'vitest'
import { createCollections } from '../src/collections/collections.ts'
import { permitFor, readIfMatch } from '../src/records/if-match.ts'

describe('If-Match (RFC 9110 section 13.1.1)', () => {
  test.each([
    ['*', [1, 2, 3]],
    [' * ', [1, 2, 3]],
    ['"1"', [1]],
    ['"1", "3"', [1, 3]],
    ['"1","3"', [1, 3]],
    [',, "1" \t,,"2",', [1, 2]],
    ['W/"1"', []],
    ['W/"1", "2"', [2]],
    ['"01"', []],
    ['" 1"', undefined],
    ['"1,2"', []],
    ['"a,b", "2"', [2]],
    ['"W/1"', []],
    ['"*"', []],
    ['""', []],
    ['"\u00e9"', []],
  ])('%s holds for the versions %j of 1 to 3', (header, versions) => {
    const read = () => [1, 2, 3].filter((version) => readIfMatch(header)?.(version))
    if (versions === undefined) expect(read).toThrow('If-Match: must be')
    else expect(read()).toEqual(versions)
  })

  test.each([
    '',
    ' ',
    ',',
    '1',
    '"1',
    '1"',
    '"1" "2"',
    '*, "1"',
    '"1", *',
    'w/"1"',
    'W/ "1"',
    "'1'",
    '"a"b"',
  ])('is refused when malformed: %j', (header) => {
    expect(() => readIfMatch(header)).toThrow(expect.objectContaining({ code: 'bad_request' }) as Error)
  })

  test('a long header is read in a time that grows with its length only', () => {
    expect(() => readIfMatch(`"1"${' '.repeat(1e5)}x`)).toThrow('If-Match')
    expect(() => readIfMatch(`${' \t'.repeat(1e5)}x`)).toThrow('If-Match')
    expect(readIfMatch(`${','.repeat(1e5)}"1"`)?.(1)).toBe(true)
  })

  test('where a collection requires it, a change without it is 428, and elsewhere the last write wins', () => {
    const collections = createCollections({
      declarations: [],
      backends: ['postgres'],
      undeclared: ['postgres'],
    })
    const notes = collections.find('postgres', 'notes')!
    const strict = { ...notes, requireIfMatch: true }
    const none = { ifMatch: undefined, ifNoneMatch: undefined }
    expect(() => permitFor(strict, none)).toThrow(
      expect.objectContaining({ code: 'precondition_required' }) as Error,
    )
    permitFor(notes, none)({ version: 1 })
    permitFor(strict, { ...none, ifMatch: readIfMatch('*') })({ version: 1 })
  })
})
