import { crc32, deflateRawSync } from 'node:zlib'
import { Document, HeadingLevel, Packer, Paragraph, Table, TableCell, TableRow, TextRun } from 'docx'
import type { IRunOptions } from 'docx'
import PdfDocument from 'pdfkit'

/** Lays out a PDF with `write` and gives back its bytes. */
export async function makePdf(
  write: (pdf: PDFKit.PDFDocument) => void,
  options: PDFKit.PDFDocumentOptions = {},
): Promise<Buffer> {
  const pdf = new PdfDocument({ size: 'A4', margin: 72, ...options })
  const chunks: Buffer[] = []
  pdf.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<void>((resolve) => pdf.on('end', () => resolve()))
  write(pdf)
  pdf.end()
  await ended
  return Buffer.concat(chunks)
}

/** A one-page manual: a title, two headings, paragraphs longer than a line, a list. */
export function makeManual(options: PDFKit.PDFDocumentOptions = {}): Promise<Buffer> {
  return makePdf((pdf) => {
    pdf.font('Helvetica-Bold').fontSize(24).text('Harbour Manual').moveDown()
    pdf.font('Helvetica').fontSize(11)
    pdf.text(
      'Every ship that enters the harbour reports to the pilot by radio. The pilot gives each ship a berth and a time, ' +
        'and writes both into the day book, which anyone may read.',
    )
    pdf.moveDown().fontSize(16).text('Berths').fontSize(11).moveDown(0.5)
    pdf.text('A berth is kept for one hour. There are three kinds:').moveDown(0.5)
    pdf
      .text('• deep berths for tankers')
      .text('• short berths for ferries')
      .text('• quay 7 for everyone else')
    pdf.moveDown().fontSize(16).text('Fees').fontSize(11).moveDown(0.5)
    pdf.text('Fees are paid on leaving.')
  }, options)
}

const FORTY: IRunOptions = { text: 'forty', bold: true }

/** A Word document with a title, a heading, formatted text, a nested list and a table. */
export async function makeDocx(): Promise<Buffer> {
  const cell = (text: string) => new TableCell({ children: [new Paragraph(text)] })
  const document = new Document({
    numbering: {
      config: [
        {
          reference: 'steps',
          levels: [0, 1].map((level) => ({ level, format: 'decimal', text: `%${level + 1}.` })),
        },
      ],
    },
    sections: [
      {
        children: [
          new Paragraph({ text: 'Voyage Report', heading: HeadingLevel.TITLE }),
          new Paragraph({ text: 'Cargo', heading: HeadingLevel.HEADING_1 }),
          new Paragraph({
            children: [new TextRun('The ship carried '), new TextRun(FORTY), new TextRun(' crates.')],
          }),
          new Paragraph({ text: 'Load', numbering: { reference: 'steps', level: 0 } }),
          new Paragraph({ text: 'by crane', numbering: { reference: 'steps', level: 1 } }),
          new Paragraph({ text: 'Lash', numbering: { reference: 'steps', level: 0 } }),
          new Table({
            rows: [
              new TableRow({ children: [cell('Crate'), cell('Weight')] }),
              new TableRow({ children: [cell('A_1'), cell('20 | 30')] }),
            ],
          }),
        ],
      },
    ],
  })
  return Packer.toBuffer(document)
}

export interface ZipMember {
  name: string
  content: Buffer | string
  /** What the headers claim, where that is not the truth. */
  claimedSize?: number
  flags?: number
}

/** An archive written byte by byte, so that it can also lie. */
export function makeZip(members: readonly ZipMember[]): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content, claimedSize, flags = 0 } of members) {
    const plain = Buffer.from(content)
    const packed = deflateRawSync(plain, { level: 9 })
    const nameBytes = Buffer.from(name)
    const sizes = Buffer.alloc(26)
    sizes.writeUInt16LE(20, 0)
    sizes.writeUInt16LE(flags, 2)
    sizes.writeUInt16LE(8, 4)
    sizes.writeUInt32LE(crc32(plain), 10)
    sizes.writeUInt32LE(packed.length, 14)
    sizes.writeUInt32LE(claimedSize ?? plain.length, 18)
    sizes.writeUInt16LE(nameBytes.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), sizes, nameBytes, packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), sizes, tail, nameBytes]))
    locals.push(local)
    offset += local.length
  }
  const directoryBytes = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(members.length, 4)
  end.writeUInt16LE(members.length, 6)
  end.writeUInt32LE(directoryBytes.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, directoryBytes, Buffer.from('PK\x05\x06'), end])
}

/** The parts that make an archive a Word document, with `body` as the content of its text. */
export function wordMembers(body: string): ZipMember[] {
  const w = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'
  const types = 'http://schemas.openxmlformats.org/package/2006/content-types'
  const relations = 'http://schemas.openxmlformats.org/package/2006/relationships'
  const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument'
  return [
    {
      name: '[Content_Types].xml',
      content: `<Types xmlns="${types}"><Default Extension="xml" ContentType="application/xml"/></Types>`,
    },
    {
      name: '_rels/.rels',
      content: `<Relationships xmlns="${relations}"><Relationship Id="r" Type="${office}" Target="word/document.xml"/></Relationships>`,
    },
    {
      name: 'word/document.xml',
      content: `<w:document xmlns:w="${w}"><w:body>${body}</w:body></w:document>`,
    },
  ]
}
