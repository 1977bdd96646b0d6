import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collectionsFile, collectionsFileOf, readCollections } from '../src/collections-file.ts'
import { startPlatformFileMaker } from '../src/filemaker/platform-filemaker.ts'
import { repositoryRoot } from '../src/folders.ts'
import { loadSecrets, serviceEnvironments, startPlatform } from '../src/index.ts'
import { perService } from '../src/services.ts'

let folder: string
let file: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-collections-'))
  file = join(folder, 'own.json')
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('COLLECTIONS_FILE', () => {
  test.each([
    [undefined, collectionsFile],
    ['', collectionsFile],
    ['/etc/own.json', '/etc/own.json'],
    ['own.json', join(repositoryRoot, 'own.json')],
  ])('%j is the file of data_store', (named, expected) => {
    const env = named === undefined ? {} : { COLLECTIONS_FILE: named }
    expect(collectionsFileOf(env)).toBe(expected)
    const environments = serviceEnvironments(
      {
        urls: perService(() => 'http://127.0.0.1:1'),
        postgres: { url: () => '', migrationUrl: () => '' },
        ...{ secrets: loadSecrets(folder), traces: 'http://127.0.0.1:2', dataDir: folder },
      },
      env,
    )
    expect(environments.data_store.COLLECTIONS_FILE).toBe(expected)
  })

  test('decides which layouts FileMaker has', async () => {
    writeFileSync(
      file,
      JSON.stringify({
        collections: [
          { name: 'diary', backends: ['filemaker'], filemaker: { layout: 'Pages', fields: { a: 'First' } } },
          { name: 'elsewhere', backends: ['postgres'] },
        ],
      }),
    )
    const fm = await startPlatformFileMaker({
      secrets: loadSecrets(folder),
      collections: readCollections(file),
    })
    try {
      expect(fm.table('Pages').fields.map(({ name }) => name)).toContain('First')
      for (const name of ['notes', 'diary', 'elsewhere']) expect(() => fm.table(name)).toThrow(name)
    } finally {
      await fm.close()
    }
  })

  test.each([
    ['{', 'is not JSON'],
    ['[]', 'has no list `collections`'],
    ['{"collections":[3]}', 'collections.0 no object'],
    ['{"collections":[{"name":"a","backends":[]},{"backends":[]}]}', 'collections.1 no `name`'],
    ['{"collections":[{"name":"a","backends":"postgres"}]}', 'backends'],
    ['{"collections":[{"name":"a","backends":[],"scope":"team"}]}', 'scope'],
    ['{"collections":[{"name":"a","backends":[],"supabase":{"table":5}}]}', 'supabase.table'],
    ['{"collections":[{"name":"a","backends":[],"filemaker":null}]}', 'filemaker.layout'],
    ['{"collections":[{"name":"a","backends":[],"filemaker":{"fields":{"a":1}}}]}', 'filemaker.fields'],
    ['{"collections":[{"name":"a","backends":[],"schema":true}]}', 'schema'],
  ])('that is wrong stops the platform before anything starts, and is named: %s', async (text, fault) => {
    writeFileSync(file, text)
    const refused = startPlatform({ env: { COLLECTIONS_FILE: file } })
    await expect(refused).rejects.toThrow(`COLLECTIONS_FILE ${file} `)
    await expect(refused).rejects.toThrow(fault)
  })

  test('that is not there is named too', () => {
    expect(() => readCollections(join(folder, 'missing.json'))).toThrow(
      /missing\.json cannot be read.*ENOENT/,
    )
  })
})
