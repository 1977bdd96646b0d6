import { describe, expect, test } from 'vitest'
import { convertText, failureOf, markdownOf } from './converting.ts'

describe('hostile documents', () => {
  test('200,000 nested elements are read', async () => {
    expect(await markdownOf('a.html', `${'<div>'.repeat(200_000)}deep`)).toBe('deep')
  })

  test('30,000 nested lists are written without an indentation that grows with them', async () => {
    const source = '<ul><li>a'.repeat(30_000)
    expect((await markdownOf('a.html', source)).length).toBeLessThan(source.length * 20)
  })

  test('20,000 nested tables and definitions are read', async () => {
    expect(await markdownOf('a.html', '<table><tr><td>a'.repeat(20_000))).toContain('a')
    expect(await markdownOf('a.html', `<dl>${'<dd>a'.repeat(20_000)}`)).toContain('- a')
  })

  test('quotes nested beyond any sense are refused as such', async () => {
    expect(await failureOf(convertText('a.md', `${'>'.repeat(15_000)} x`))).toBe('too_large')
  })

  test('a table that spans make huge is refused', async () => {
    const row = '<tr><td>y'.repeat(3000)
    expect(await failureOf(convertText('a.html', `<table><tr><td colspan=1000 rowspan=65534>x${row}`))).toBe(
      'too_large',
    )
  })

  test('a huge CSV row and rows that padding would make huge are refused', async () => {
    expect(await failureOf(convertText('a.csv', 'a,'.repeat(1_100_000)))).toBe('too_large')
    expect(await failureOf(convertText('a.csv', `${'a,'.repeat(20_000)}\n${'b\n'.repeat(20_000)}`))).toBe(
      'too_large',
    )
  })

  test('more Markdown than allowed is refused, not cut', async () => {
    expect(await failureOf(convertText('a.csv', 'aaaa,bbbb\n'.repeat(1000), 5000))).toBe('too_large')
    expect(await failureOf(convertText('a.md', 'word\n\n'.repeat(2000), 5000))).toBe('too_large')
  })

  test('what comes out can be stored anywhere: no NUL, no control character, no half of a surrogate pair', async () => {
    const filler = 'x'.repeat(9000)
    const { markdown, text } = await convertText('a.html', `<p>${filler}</p><p>a\0b\x1b[31m&#xD800;c</p>`)
    for (const output of [markdown, text]) {
      expect(output).not.toMatch(/[^\P{Cc}\t\n]/u)
      expect(output.isWellFormed()).toBe(true)
    }
  })

  test('a document without text is refused', async () => {
    expect(await failureOf(convertText('a.html', '<html><script>x</script></html>'))).toBe('empty')
    expect(await failureOf(convertText('a.csv', '\n\n'))).toBe('empty')
  })
})
