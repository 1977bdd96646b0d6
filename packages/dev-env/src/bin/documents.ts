import { createWriteStream, writeFileSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { Document, HeadingLevel, Packer, Paragraph, Table, TableCell, TableRow, TextRun } from 'docx'
import PDFDocument from 'pdfkit'
import { DEMO_DOCUMENTS } from '../demo/documents.ts'

// Makes the two documents of the demo anew: node packages/dev-env/src/bin/documents.ts

interface Section {
  heading: string
  paragraphs: string[]
}

const HANDBOOK: Section[] = [
  {
    heading: 'Receiving a shipment',
    paragraphs: [
      'Every shipment arrives with a waybill. The receiver compares the number on the waybill with the number on the seal before the doors are opened, and writes the time of arrival on both copies.',
      'A shipment without a waybill is not unloaded. It waits in bay nine until the sender has named the consignee.',
    ],
  },
  {
    heading: 'Keeping the cold chain',
    paragraphs: [
      'Vaccines travel between two and eight degrees Celsius. The logger inside the box records the temperature every five minutes, and its record is attached to the waybill on delivery.',
      'Frozen fish travels at minus eighteen degrees or below. A box that has been warmer than minus fifteen degrees for more than twenty minutes is set aside and reported.',
    ],
  },
  {
    heading: 'When something goes wrong',
    paragraphs: [
      'A damaged seal is photographed from two sides before anyone touches it. The shift lead decides whether the shipment may be opened, and signs the decision on the waybill.',
      'Lost copies are replaced by the carrier within three working days. Until then the shipment stays where it is.',
    ],
  },
]

const RULES: Section[] = [
  {
    heading: 'Forklifts',
    paragraphs: [
      'Forklifts drive at no more than six kilometres per hour inside the warehouse, and stop at every painted line.',
      'Batteries are changed in the charging room only. Nobody smokes within ten metres of it.',
    ],
  },
  {
    heading: 'Shelves',
    paragraphs: [
      'Heavy pallets stand on the lowest level. A shelf carries at most one thousand two hundred kilograms per level, as the plate at its end says.',
    ],
  },
]

const HOURS = [
  ['Gate', 'Opens', 'Closes'],
  ['North gate', '05:30', '22:00'],
  ['River gate', '07:00', '18:30'],
]

async function writePdf(path: string): Promise<void> {
  const pdf = new PDFDocument({
    size: 'A4',
    margin: 64,
    info: { Title: 'Cold chain handbook', CreationDate: new Date('2026-01-05T08:00:00Z') },
  })
  const file = createWriteStream(path)
  pdf.pipe(file)
  pdf.font('Helvetica-Bold').fontSize(24).text('Cold chain handbook').moveDown()
  for (const { heading, paragraphs } of HANDBOOK) {
    pdf.font('Helvetica-Bold').fontSize(16).text(heading).moveDown(0.5)
    for (const paragraph of paragraphs) pdf.font('Helvetica').fontSize(11).text(paragraph).moveDown()
  }
  pdf.end()
  await finished(file)
}

async function writeDocx(path: string): Promise<void> {
  const rows = HOURS.map(
    (cells) =>
      new TableRow({ children: cells.map((cell) => new TableCell({ children: [new Paragraph(cell)] })) }),
  )
  const children = [
    new Paragraph({ text: 'Warehouse rules', heading: HeadingLevel.HEADING_1 }),
    ...RULES.flatMap(({ heading, paragraphs }) => [
      new Paragraph({ text: heading, heading: HeadingLevel.HEADING_2 }),
      ...paragraphs.map((text) => new Paragraph({ children: [new TextRun(text)] })),
    ]),
    new Paragraph({ text: 'Gates', heading: HeadingLevel.HEADING_2 }),
    new Table({ rows }),
  ]
  writeFileSync(path, await Packer.toBuffer(new Document({ sections: [{ children }] })))
}

const [handbook, rules] = DEMO_DOCUMENTS
await writePdf(handbook.path)
await writeDocx(rules.path)
