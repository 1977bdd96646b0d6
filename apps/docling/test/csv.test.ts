import { describe, expect, test } from 'vitest'
import { convertText, markdownOf } from './converting.ts'

describe('CSV', () => {
  test.each([
    ['comma', 'a,b\n1,"x, y"\n2,z\n'],
    ['semicolon', 'a;b\n1;"x, y"\n2;z\n'],
    ['tab', 'a\tb\n1\t"x, y"\n2\tz\n'],
    ['pipe', 'a|b\n1|"x, y"\n2|z\n'],
  ])('finds the delimiter: %s', async (_name, source) => {
    expect(await markdownOf('a.csv', source)).toBe('| a | b |\n| - | - |\n| 1 | x, y |\n| 2 | z |')
  })

  test('a byte order mark, CRLF, quoted line ends and pipes do not break the table', async () => {
    expect(await markdownOf('a.csv', '\ufeffa,b\r\n"1\n2","x|y"\r\n')).toBe(
      '| a | b |\n| - | - |\n| 1 2 | x&#124;y |',
    )
  })

  test('rows of differing length are padded, with a warning', async () => {
    const { markdown, warnings } = await convertText('a.csv', 'a,b,c\n1\n2,3\n')
    expect(markdown).toBe('| a | b | c |\n| - | - | - |\n| 1 |  |  |\n| 2 | 3 |  |')
    expect(warnings).toEqual([expect.stringContaining('padded to 3 cells')])
  })

  test('quotes that do not pair up are text, with a warning', async () => {
    const { markdown, warnings } = await convertText('a.csv', 'size,part\n5" wide,pipe\n"open,end\n')
    expect(markdown).toContain('| 5" wide | pipe |\n| "open | end |')
    expect(warnings).toEqual([expect.stringContaining('Quotes')])
  })

  test('bytes that are not UTF-8 are read as windows-1252, with a warning', async () => {
    const { markdown, warnings } = await convertText(
      'a.csv',
      Buffer.from('name,city\nJ\xfcrgen,K\xf6ln\n', 'latin1'),
    )
    expect(markdown).toContain('| Jürgen | Köln |')
    expect(warnings).toHaveLength(1)
  })
})
