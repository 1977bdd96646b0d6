import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { declarationSql } from '../backends/supabase/declaration-sql.ts'
import { createCollections } from '../collections/collections.ts'
import { readDeclarations } from '../collections/declarations.ts'

// node supabase-sql.ts [--schema public] <COLLECTIONS_FILE>: what is to be run in a project of Supabase, for psql or its SQL editor.
try {
  const { values, positionals } = parseArgs({
    options: { schema: { type: 'string', default: 'public' } },
    allowPositionals: true,
  })
  const [file, ...rest] = positionals
  if (file === undefined || rest.length > 0) throw new Error('Say which collections file, and nothing else.')
  const declarations = readDeclarations(file)
  const backends = [...new Set(declarations.flatMap((declaration) => declaration.backends))]
  const collections = createCollections({ declarations, backends, undeclared: [] }).list('supabase')
  const sql = readFileSync(fileURLToPath(new URL('../../supabase/collections.sql', import.meta.url)), 'utf8')
  process.stdout.write(`${sql}\n${declarationSql(collections, values.schema)}`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
