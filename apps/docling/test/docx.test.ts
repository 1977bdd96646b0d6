import { describe, expect, test } from 'vitest'
import { convertText, failureOf, markdownOf } from './converting.ts'
import { makeDocx, makeZip, wordMembers } from './documents.ts'

const MIB = 1024 ** 2
const PARAGRAPH = '<w:p><w:r><w:t>Ahoy</w:t></w:r></w:p>'

describe('DOCX', () => {
  test('title, headings, formatting, nested lists and tables come through', async () => {
    const converted = await convertText('report.docx', await makeDocx())
    expect(converted).toMatchObject({ title: 'Voyage Report', format: 'docx', warnings: [] })
    expect(converted.markdown).toBe(
      '# Voyage Report\n\n## Cargo\n\nThe ship carried **forty** crates.\n\n1. Load\n    1. by crane\n2. Lash\n\n' +
        '| Crate | Weight |\n| - | - |\n| A_1 | 20 &#124; 30 |',
    )
  })

  test('the smallest possible document is read', async () => {
    expect(await markdownOf('a.docx', makeZip(wordMembers(PARAGRAPH)))).toBe('Ahoy')
  })

  test('a dense archive is refused before it is unpacked', async () => {
    const bomb = makeZip(wordMembers(PARAGRAPH + ' '.repeat(40 * MIB)))
    expect(bomb.length).toBeLessThan(100_000)
    await expect(convertText('a.docx', bomb)).rejects.toMatchObject({ failure: 'too_large' })
  })

  test('an archive that understates its size is refused after one byte too many', async () => {
    const [types, rels, text] = wordMembers(PARAGRAPH + ' '.repeat(40 * MIB))
    const lying = makeZip([types!, rels!, { ...text!, claimedSize: 500 }])
    await expect(convertText('a.docx', lying)).rejects.toMatchObject({ failure: 'too_large' })
  })

  test('too many members, doubled and escaping names, encryption and damage are refused', async () => {
    const refusal = (bytes: Buffer) => failureOf(convertText('a.docx', bytes))
    const word = wordMembers(PARAGRAPH)
    const many = Array.from({ length: 5000 }, (_, n) => ({ name: `word/${n}`, content: '' }))
    expect(await refusal(makeZip([...word, ...many]))).toBe('too_large')
    expect(await refusal(makeZip([...word, word[0]!]))).toBe('broken')
    expect(await refusal(makeZip([...word, { name: '../../etc/x', content: 'x' }]))).toBe('broken')
    expect(await refusal(makeZip(word.map((member) => ({ ...member, flags: 1 }))))).toBe('encrypted')
    const whole = makeZip(word)
    expect(await refusal(whole.subarray(0, whole.length - 30))).toBe('broken')
    const flipped = Buffer.from(whole)
    flipped.writeUInt8(flipped.readUInt8(60) ^ 0xff, 60)
    expect(await refusal(flipped)).toBe('broken')
    expect(await refusal(makeZip(wordMembers('<w:p><w:r>')))).toBe('broken')
  })

  test('a file protected with a password and an old .doc are told apart', async () => {
    const compound = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(600)])
    await expect(convertText('a.docx', compound)).rejects.toMatchObject({ failure: 'unsupported_format' })
    compound.write('EncryptedPackage', 520, 'utf16le')
    await expect(convertText('a.docx', compound)).rejects.toMatchObject({ failure: 'encrypted' })
  })

  test('entities are not expanded', async () => {
    const [types, rels, document] = wordMembers('<w:p><w:r><w:t>&lol;</w:t></w:r></w:p>')
    const content = `<!DOCTYPE x [<!ENTITY lol SYSTEM "file:///etc/passwd">]>${String(document!.content)}`
    const zip = makeZip([types!, rels!, { name: document!.name, content }])
    expect(await failureOf(convertText('a.docx', zip))).toBe('broken')
  })
})
