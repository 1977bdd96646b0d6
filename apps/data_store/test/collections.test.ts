import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectionsFile } from '@waybill/dev-env'
import { loadConfig } from '@waybill/service-kit'
import { afterAll, describe, expect, test } from 'vitest'
import { createCollections } from '../src/collections/collections.ts'
import { readDeclarations } from '../src/collections/declarations.ts'
import { configSchema } from '../src/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'collections-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const read = (content: unknown) => {
  const path = join(folder, 'collections.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return createCollections({
    declarations: readDeclarations(path),
    backends: ['postgres', 'supabase', 'filemaker'],
    undeclared: ['postgres'],
  })
}
const declared = (more: object) => ({ collections: [{ name: 'notes', backends: ['postgres'], ...more }] })

describe('a file of collections', () => {
  test('says of each what is not said otherwise elsewhere', () => {
    const collections = read(declared({ scope: 'tenant', permissions: { write: 'notes.write' } }))
    expect(collections.find('postgres', 'notes')).toMatchObject({
      ...{ scope: 'tenant', permissions: { read: 'memory.read', write: 'notes.write' } },
      ...{ requireIfMatch: false, table: 'notes', fields: {} },
    })
    expect(collections.find('postgres', 'others')).toMatchObject({ scope: 'user', name: 'others' })
    expect(collections.find('filemaker', 'notes')).toBeUndefined()
    expect(collections.list('postgres').map(({ name }) => name)).toEqual(['notes'])
  })

  test.each(['My Notes', 'Notizen (ä) / 2', '#'])('may call a layout of FileMaker %j', (layout) => {
    const collections = read(declared({ backends: ['filemaker'], filemaker: { layout } }))
    expect(collections.find('filemaker', 'notes')?.table).toBe(layout)
  })

  test.each(['..', '.', '', ' Notes', 'Notes ', 'a\nb', '\ud800', 'x'.repeat(101)])(
    'may not call one %j',
    (layout) => {
      expect(() => read(declared({ filemaker: { layout } }))).toThrow('filemaker.layout: must be the name')
    },
  )

  test('of the platform is one, for all four backends', () => {
    const [notes] = readDeclarations(collectionsFile)
    expect(notes?.backends).toEqual(['postgres', 'supabase', 'lancedb', 'filemaker'])
  })

  test.each<[string, unknown, string]>([
    ['no JSON', '{', 'COLLECTIONS_FILE: is not JSON'],
    ['no list', {}, 'COLLECTIONS_FILE: collections: '],
    [
      'a name that is none',
      { collections: [{ name: 'Notes', backends: ['postgres'] }] },
      'collections.0.name: must be',
    ],
    ['a scope that is none', declared({ scope: 'group' }), 'collections.0.scope: '],
    ['a member that is none', declared({ owner: 'x' }), 'collections.0: '],
    ['no backend', declared({ backends: [] }), 'collections.0.backends: '],
    [
      'another backend',
      declared({ backends: ['oracle'] }),
      'notes: there is no backend oracle; there is postgres',
    ],
    [
      'one backend twice',
      declared({ backends: ['postgres', 'postgres'] }),
      'notes is declared twice for postgres',
    ],
    [
      'two collections in one Supabase table',
      {
        collections: [
          { name: 'tasks', backends: ['supabase'], scope: 'tenant', supabase: { table: 'notes' } },
          { name: 'notes', backends: ['supabase'] },
        ],
      },
      'notes and tasks are in one Supabase table, notes',
    ],
    [
      'a permission that is none',
      declared({ permissions: { read: 'a b' } }),
      'collections.0.permissions.read: must be',
    ],
    [
      'a keyword that is none',
      declared({ schema: { typ: 'object' } }),
      'the schema of notes: strict mode: unknown keyword: "typ"',
    ],
    [
      'a type that is none',
      declared({ schema: { type: 'objekt' } }),
      'the schema of notes: schema is invalid',
    ],
    [
      'a format, which would not be looked at',
      declared({ schema: { type: 'object', properties: { at: { type: 'string', format: 'date' } } } }),
      'the schema of notes: unknown format "date" at "#/properties/at": no formats are known here, use "pattern"',
    ],
    [
      'a schema elsewhere',
      declared({ schema: { $ref: 'http://127.0.0.1:9/x' } }),
      "the schema of notes: can't resolve reference",
    ],
    [
      'a schema that is to be waited for',
      declared({ schema: { $async: true, type: 'object' } }),
      'the schema of notes: $async',
    ],
  ])('with %s stops the start, and says what is wrong', (_, content, message) => {
    expect(() => read(content)).toThrow(message)
  })

  test('that is not there stops the start', () => {
    expect(() => readDeclarations(join(folder, 'none.json'))).toThrow(
      'COLLECTIONS_FILE: cannot be read (ENOENT)',
    )
    expect(readDeclarations('')).toEqual([])
  })

  test.each(['supabase', 'filemaker', 'oracle'])('is needed for what is kept in %s', (backend) => {
    expect(() => loadConfig(configSchema, { UNDECLARED_COLLECTIONS: `postgres,${backend}` })).toThrow(
      'UNDECLARED_COLLECTIONS: must be of postgres, lancedb',
    )
  })
})

describe('a schema', () => {
  const schema = {
    ...{ type: 'object', additionalProperties: false, required: ['kind'] },
    properties: {
      kind: { enum: ['a', 'b'] },
      'a/b': { type: 'array', items: { type: 'number', minimum: 0 } },
      constructor: { type: 'string' },
    },
  }
  const check = (data: Record<string, unknown>) => {
    read(declared({ schema })).find('postgres', 'notes')!.validate(data, 'records[1].data')
  }

  test.each<[Record<string, unknown>, string]>([
    [{}, "records[1].data must have required property 'kind'."],
    [{ kind: 'c' }, 'records[1].data.kind must be equal to one of the allowed values: ["a","b"].'],
    [{ kind: 'a', 'a/b': [1, -1] }, 'records[1].data.a/b[1] must be >= 0.'],
    [{ kind: 'a', colour: 1 }, 'records[1].data must not have a member colour.'],
    [
      JSON.parse('{"kind":"a","__proto__":1}') as Record<string, unknown>,
      'records[1].data must not have a member __proto__.',
    ],
  ])('names the place and the reason: %j', (data, detail) => {
    expect(() => {
      check(data)
    }).toThrow(expect.objectContaining({ code: 'unprocessable', message: detail }) as Error)
  })

  test('takes what fits, and members that every object inherits are none', () => {
    check({ kind: 'a', 'a/b': [] })
  })
})
