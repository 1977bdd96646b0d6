import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { collectionsFile } from '@waybill/dev-env'
import { expect, test } from 'vitest'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { startSupabaseStand } from './supabase-stand.ts'
import type { SupabaseStand } from './supabase-stand.ts'

const COMMAND = fileURLToPath(new URL('../src/bin/supabase-sql.ts', import.meta.url))
const run = async (...args: string[]) =>
  (await promisify(execFile)(process.execPath, [COMMAND, ...args])).stdout

let stand: SupabaseStand
let folder: string
onPostgrest(
  async () => {
    stand = await startSupabaseStand()
    folder = await mkdtemp(join(tmpdir(), 'supabase-sql-'))
  },
  async () => {
    await stand.close()
    await rm(folder, { recursive: true })
  },
)

async function fileWith(collections: object[]): Promise<string> {
  const file = join(folder, 'collections.json')
  await writeFile(file, JSON.stringify({ collections }))
  return file
}

test('what the command prints makes the declared tables, may be run again, and keeps what is in them', async () => {
  const file = await fileWith([
    { name: 'plans', backends: ['supabase', 'postgres'], scope: 'workspace', supabase: { table: 'Plans_2' } },
    { name: 'elsewhere', backends: ['postgres'] },
  ])
  const sql = await run(file)
  await stand.admin(sql)
  await stand.admin(`insert into "Plans_2" (owner, id, data) values ('w', 'a', '{}')`)
  await stand.admin(sql)
  expect(await stand.admin('select owner, id, version from "Plans_2"')).toEqual([
    { owner: 'w', id: 'a', version: 1 },
  ])
  const tables = await stand.admin('select table_name, claim from waybill.collections order by 1')
  expect(tables).toContainEqual({ table_name: 'Plans_2', claim: 'workspace_id' })
  expect(tables.map(({ table_name: name }) => name)).not.toContain('elsewhere')
})

test('it ends in an error that names what is not as it should be', async () => {
  const sql = await run(await fileWith([{ name: 'plans', backends: ['supabase'] }]))
  await stand.admin(sql)
  const verification = sql.slice(sql.indexOf('do $$\ndeclare\n  told'))
  await stand.admin('alter table plans no force row level security')
  await expect(stand.admin(verification)).rejects.toThrow('public.plans: row-level security is not forced')
  await stand.admin(sql)
  await stand.admin(verification)
})

test('it takes the platform’s own file, and says what is wrong with another', async () => {
  expect(await run(collectionsFile)).toContain(`declare_collection('notes', 'user', 'public')`)
  await expect(run()).rejects.toMatchObject({ stderr: 'Say which collections file, and nothing else.\n' })
  await expect(run('/nowhere.json')).rejects.toMatchObject({
    stderr: expect.stringContaining('cannot be read') as string,
  })
})
