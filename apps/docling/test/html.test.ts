import { describe, expect, test } from 'vitest'
import { markdownOf, textOf, convertText } from './converting.ts'

const html = (source: string) => markdownOf('page.html', source)

describe('HTML', () => {
  test('headings, paragraphs, emphasis, code and links become Markdown, white space of the source does not', async () => {
    const markdown = await html(`
      <title>Ignored  here</title>
      <h1>Ships   &amp; crews</h1>
      <p>A <b>deep</b> <i>blue</i>
         sea, see <a href="https://example.org/a_b">the  chart</a> or run <code>sail --now</code></p>
      <blockquote>Quoted</blockquote>`)
    expect(markdown).toBe(
      '# Ships &amp; crews\n\nA **deep** *blue* sea, see [the chart](https://example.org/a_b) or run `sail --now`\n\nQuoted',
    )
  })

  test('lists keep their nesting and numbers', async () => {
    const markdown = await html(
      '<ol start=3><li>three<ul><li>a<li>b</ul><li>four<li value=9>nine</ol><dl><dt>term<dd>meaning</dl>',
    )
    expect(markdown).toBe('3. three\n    - a\n    - b\n4. four\n9. nine\n\n- term\n    - meaning')
  })

  test('tables are compact, spans are spread, pipes are escaped', async () => {
    const markdown = await html(
      '<table><tr><th>a<th colspan=2>b</tr><tr><td rowspan=2>1<td>x|y<td><b>3</b></tr><tr><td>4<td>5</tr></table>',
    )
    expect(markdown).toBe('| a | b | b |\n| - | - | - |\n| 1 | x&#124;y | **3** |\n| 1 | 4 | 5 |')
  })

  test('a table within a table becomes text of its cell; a table of one cell is only a frame', async () => {
    expect(await html('<table><tr><td>a<td><table><tr><td>b<td>c</table></table>')).toBe(
      '| a | b c |\n| - | - |',
    )
    expect(await html('<table><tr><td><p>one</p><table><tr><td>b<td>c</table></table>')).toBe(
      'one\n\n| b | c |\n| - | - |',
    )
  })

  test('scripts, styles and hidden elements are left out, images become placeholders and nothing is fetched', async () => {
    const markdown = await html(
      '<script>alert(1)</script><style>p{}</style><noscript>no</noscript><p hidden>secret</p><p>seen</p>' +
        '<img src="http://127.0.0.1:9/never"><iframe src="http://127.0.0.1:9/never">x</iframe>',
    )
    expect(markdown).toBe('seen\n\n<!-- image -->')
  })

  test('a link that would run a script is text', async () => {
    const markdown = await html(
      '<p><a href="java\nscript:alert(1)">a</a> <a href="data:text/html,x">b</a> <a href="/c(d">c</a></p>',
    )
    expect(markdown).toBe('a b [c](/c%28d)')
  })

  test('preformatted text is a fence that its content cannot close', async () => {
    expect(await html('<pre>one\n  ```\ntwo</pre>')).toBe('````\none\n  ```\ntwo\n````')
  })

  test('the encoding is taken from the byte order mark or the meta element', async () => {
    const latin = Buffer.from('<meta charset="iso-8859-1"><p>Gr\xfc\xdfe</p>', 'latin1')
    expect(await markdownOf('a.html', latin)).toBe('Grüße')
    expect(await markdownOf('a.html', Buffer.from('\ufeff<html><p>Grüße', 'utf16le'))).toBe('Grüße')
  })

  test('plain text has no marks, and the title is the title element', async () => {
    const source =
      '<title>T</title><p>a <b>b</b></p><ul><li><a href="/x">c</a></ul><table><tr><td>d<td>e</table>'
    expect(await textOf('page.html', source)).toBe('a b\n\n- c\n\nd\te')
    expect(await convertText('page.html', source)).toMatchObject({ title: 'T', format: 'html' })
  })
})
