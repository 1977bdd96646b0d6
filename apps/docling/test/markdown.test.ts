import { describe, expect, test } from 'vitest'
import { convertText, markdownOf, textOf } from './converting.ts'

const md = (source: string) => markdownOf('notes.md', source)

describe('Markdown', () => {
  test('comes out normalised: ATX headings, dashes, compact tables, fences', async () => {
    const markdown = await md(
      'Title\n=====\n\n* one\n* two\n  continued\n\n    1. deep\n\n|a|b|\n|:--|--:|\n|1|`2`|\n\n    code\n',
    )
    expect(markdown).toBe(
      '# Title\n\n- one\n- two continued\n    1. deep\n\n| a | b |\n| - | - |\n| 1 | `2` |\n\n```\ncode\n```',
    )
  })

  test('tasks, strikethrough, footnotes, hard breaks and references are understood', async () => {
    const markdown = await md(
      '- [x] done\n- [ ] open\n\n~~old~~ a  \nb [ref][r] [^1]\n\n[r]: /there\n[^1]: note\n',
    )
    expect(markdown).toBe('- [x] done\n- [ ] open\n\n~~old~~ a  \nb [ref](/there) [^1]\n\n[^1]: note')
  })

  test('raw HTML blocks are read as HTML, without their scripts', async () => {
    expect(await md('a\n\n<table><tr><td>1<td>2</table>\n\n<script>x()</script>\n\nb')).toBe(
      'a\n\n| 1 | 2 |\n| - | - |\n\nb',
    )
  })

  test('text that could be markup is escaped where docling escapes it', async () => {
    expect(await md('snake\\_case &lt;b&gt; &amp;')).toBe('snake\\_case &lt;b&gt; &amp;')
  })

  test('front matter gives the title and is not part of the text', async () => {
    const converted = await convertText('a.md', '---\ntitle: "Log book"\ntags: [x]\n---\n\nHello')
    expect(converted).toMatchObject({ title: 'Log book', markdown: 'Hello', text: 'Hello' })
  })

  test('plain text files are read as Markdown, images are placeholders, text is plain', async () => {
    expect(await markdownOf('a.TXT', 'Hello\nworld')).toBe('Hello world')
    expect(await md('before\n\n![alt](http://127.0.0.1:9/never)\n\nafter')).toBe(
      'before\n\n<!-- image -->\n\nafter',
    )
    expect(await textOf('a.md', '# A *b*\n\n1. [c](/d)')).toBe('A b\n\n1. c')
  })
})
