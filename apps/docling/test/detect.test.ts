import { describe, expect, test } from 'vitest'
import { documentName } from '../src/document-name.ts'
import { detectFormat } from '../src/convert/detect.ts'
import { makeManual, makeZip, wordMembers } from './documents.ts'

const CSV = 'a,b\n1,2\n3,4\n'
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')

describe('the format', () => {
  test.each([
    ['REPORT.MARKDOWN', '# x', 'md'],
    ['notes.txt', 'x', 'md'],
    ['a.HTM', 'x', 'html'],
    ['a.tsv', 'a\tb', 'csv'],
    ['noextension', '<!DOCTYPE html><p>x', 'html'],
    ['noextension', CSV, 'csv'],
    ['noextension', 'Dear Sir,\n\nall is well.', 'md'],
    ['download.bin', '%PDF-1.7 ...', 'pdf'],
    ['page.unknown', '<?xml version="1.0"?>\n<!-- c -->\n<html>', 'html'],
    ['words.txt', 'MZ is a pair of letters', 'md'],
    ['about.md', 'A PDF begins with %PDF-1.7', 'md'],
  ])('of %s is found', (name, content, format) => {
    expect(detectFormat(name, Buffer.from(content))).toBe(format)
  })

  test('of an office file is its content, whatever its name', async () => {
    expect(detectFormat('upload', makeZip(wordMembers('')))).toBe('docx')
    expect(detectFormat('upload', await makeManual())).toBe('pdf')
  })

  test.each([
    ['a.docx', '%PDF-1.7', 'format_mismatch', 'is named as .docx but its content is PDF'],
    ['a.pdf', 'just words', 'format_mismatch', 'is named as .pdf but its content is plain text'],
    ['a.csv', '<html><body>', 'format_mismatch', 'is named as .csv but its content is HTML'],
    ['a.md', 'a\0b', 'format_mismatch', 'its content is binary data'],
    ['a.md', PNG, 'unsupported_format', 'is a PNG image'],
    [
      'a.xlsx',
      makeZip([{ name: 'xl/workbook.xml', content: '' }]),
      'unsupported_format',
      'an Excel workbook',
    ],
    ['a.docx', makeZip([{ name: 'x', content: '' }]), 'unsupported_format', 'a ZIP archive'],
    ['a.tex', '\\section{x}', 'unsupported_format', 'the extension .tex'],
    ['a.bin', Buffer.from([1, 0, 2, 0]), 'unsupported_format', 'binary data of no known kind'],
    ['a.md', '', 'empty', 'is empty'],
  ])('of %s is refused, saying what was found', (name, content, failure, message) => {
    expect(() => detectFormat(name, Buffer.from(content))).toThrow(
      expect.objectContaining({ failure, message: expect.stringContaining(message) }),
    )
  })
})

test('a document is known by the last part of the path that was sent', () => {
  expect(documentName('/home/x/report.pdf')).toBe('report.pdf')
  expect(documentName('C:\\docs\\Bericht März.pdf')).toBe('Bericht März.pdf')
  expect(documentName('a\u202egpj.exe\r\nSet-Cookie: x.pdf')).toBe('agpj.exeSet-Cookie: x.pdf')
  expect([documentName('..'), documentName('a/'), documentName('')]).toEqual([
    'document',
    'document',
    'document',
  ])
  expect(documentName(`${'x'.repeat(500)}.pdf`)).toMatch(/^x+\.pdf$/)
  expect(documentName(`${'x'.repeat(500)}.pdf`)).toHaveLength(200)
})
