import { describe, expect, test } from 'vitest'
import { convertText, markdownOf } from './converting.ts'
import { makeManual, makePdf } from './documents.ts'

describe('PDF', () => {
  test('type sizes become headings, wrapped lines paragraphs, bullets a list', async () => {
    const converted = await convertText('manual.pdf', await makeManual({ info: { Title: 'Day book' } }))
    expect(converted).toMatchObject({ title: 'Day book', pages: 1, warnings: [], format: 'pdf' })
    expect(converted.markdown).toBe(
      [
        '# Harbour Manual',
        'Every ship that enters the harbour reports to the pilot by radio. The pilot gives each ship a berth and a ' +
          'time, and writes both into the day book, which anyone may read.',
        '## Berths',
        'A berth is kept for one hour. There are three kinds:',
        '- deep berths for tankers\n- short berths for ferries\n- quay 7 for everyone else',
        '## Fees',
        'Fees are paid on leaving.',
      ].join('\n\n'),
    )
  })

  test('two columns are read one after the other', async () => {
    const column = (name: string) =>
      Array.from({ length: 6 }, (_, line) => `${name} line ${line} of a text set in a column`).join('\n')
    const pdf = await makePdf((page) => {
      page.fontSize(10)
      page.text(column('left'), 60, 100, { width: 220 })
      page.text(column('right'), 320, 103, { width: 220 })
    })
    const markdown = await markdownOf('paper.pdf', pdf)
    expect(markdown.indexOf('left line 5')).toBeLessThan(markdown.indexOf('right line 0'))
  })

  test('rows of short cells are read row by row', async () => {
    const pdf = await makePdf((page) => {
      for (let row = 0; row < 6; row++) {
        page.text(`key ${row}`, 72, 100 + row * 20, { lineBreak: false })
        page.text(`value ${row}`, 300, 100 + row * 20, { lineBreak: false })
      }
    })
    expect(await markdownOf('table.pdf', pdf)).toContain('key 2 value 2')
  })

  test('words divided at a line end are whole again', async () => {
    const pdf = await makePdf((page) => page.text('The pilot informs the har-\nbour master at once.'))
    expect(await markdownOf('a.pdf', pdf)).toBe('The pilot informs the harbour master at once.')
  })

  test('running headers and page numbers are not text', async () => {
    const pdf = await makePdf(
      (page) => {
        for (let number = 1; number <= 4; number++) {
          page.addPage()
          page.text('Harbour Authority', 72, 30, { lineBreak: false })
          page.text(`Content of page ${'abcd'[number - 1]!}`, 72, 300)
          page.text('More of it, further below', 72, 400)
          page.text(`- ${number} -`, 280, 760, { lineBreak: false })
        }
      },
      { autoFirstPage: false },
    )
    const { markdown, pages } = await convertText('a.pdf', pdf)
    expect(pages).toBe(4)
    expect(markdown).not.toMatch(/Authority|- \d -/)
    expect(markdown).toMatch(/page a[^]*page b[^]*page c[^]*page d/)
  })

  test('a PDF with a password, a broken one and one without text say so', async () => {
    const locked = await makeManual({ userPassword: 'pilot' })
    await expect(convertText('a.pdf', locked)).rejects.toMatchObject({
      failure: 'encrypted',
      message: 'is protected with a password',
    })
    const whole = await makeManual()
    await expect(convertText('a.pdf', whole.subarray(0, 800))).rejects.toMatchObject({ failure: 'broken' })
    await expect(convertText('a.pdf', Buffer.from('%PDF-1.7\nnothing else'))).rejects.toMatchObject({
      failure: 'broken',
    })
    const scan = await makePdf((page) => page.rect(0, 0, 300, 300).fill('grey'))
    await expect(convertText('a.pdf', scan)).rejects.toMatchObject({
      failure: 'empty',
      message: expect.stringContaining('probably a scan'),
    })
  })

  test('a PDF that lost its end is read as far as it goes, with a warning', async () => {
    const whole = await makeManual()
    const { markdown, warnings } = await convertText('a.pdf', whole.subarray(0, whole.lastIndexOf('xref')))
    expect(markdown).toContain('Harbour Manual')
    expect(warnings).toEqual([expect.stringContaining('cut short')])
  })
})
