import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startFileMaker } from '../src/filemaker/emulator.ts'
import type { FileMakerEmulator } from '../src/filemaker/emulator.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-filemaker-'))
  file = join(folder, 'filemaker.json')
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

async function during(layouts: string[], work: (fm: FileMakerEmulator) => unknown): Promise<void> {
  const fields = [
    { name: 'title', type: 'text' as const },
    { name: 'stars', type: 'number' as const },
  ]
  const fm = await startFileMaker({
    file,
    layouts: Object.fromEntries(layouts.map((name) => [name, fields])),
  })
  try {
    await work(fm)
  } finally {
    await fm.close()
  }
}

test('records stay as they were from one run to the next, ids and modification ids too', async () => {
  let before: unknown
  await during(['notes'], (fm) => {
    const notes = fm.table('notes')
    notes.create({ title: 'ä\n"', stars: 0.5 })
    notes.create({ title: 'second' })
    notes.edit('1', { title: 'ä' })
    notes.remove(notes.create({ title: 'third' }).recordId)
    before = notes.all([])
  })
  await during(['notes'], (fm) => {
    const notes = fm.table('notes')
    expect(notes.all([])).toEqual(before)
    expect(notes.find([{ criteria: new Map([['title', '==A']]), omit: false }], [])).toHaveLength(1)
    // An id is never given twice.
    expect(notes.create({}).recordId).toBe('4')
  })
})

test('a change is written down soon, whole, and for nobody else to read', async () => {
  await during(['notes'], async (fm) => {
    fm.table('notes').create({ title: 'soon' })
    await expect.poll(() => readdirSync(folder)).toEqual(['filemaker.json'])
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      layouts: { notes: { records: [{ values: { title: 'soon' } }] } },
    })
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o077).toBe(0)
  })
})

test('what is kept of a layout stays while it is not declared', async () => {
  await during(['notes', 'plans'], (fm) => fm.table('plans').create({ title: 'x' }))
  await during(['notes'], (fm) => fm.table('notes').create({ title: 'y' }))
  await during(['notes', 'plans'], (fm) => {
    expect([fm.table('notes').size, fm.table('plans').size]).toEqual([1, 1])
  })
})

test.each(['', 'null', '{"layouts":{"notes":{}}}', '{"layouts":'])(
  'a file that is damaged is named, and left as it is: %s',
  async (text) => {
    writeFileSync(file, text)
    await expect(during(['notes'], () => undefined)).rejects.toThrow(file)
    expect(readFileSync(file, 'utf8')).toBe(text)
  },
)
