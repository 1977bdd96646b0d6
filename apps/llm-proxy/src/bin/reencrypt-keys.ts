import { databaseEnv, openAsOwner } from '@waybill/database'
import { createExternalClient, supabaseOutside, supabaseProject } from '@waybill/http-client'
import { ConfigError, createLogger, loadConfig } from '@waybill/service-kit'
import { z } from 'zod'
import { createKeyCipher } from '../keys/cipher.ts'
import { keysEnv } from '../keys/config.ts'
import { readKeyEncryptionKeys } from '../keys/key-encryption-keys.ts'
import { reencryptKeys } from '../keys/reencrypt.ts'
import { postgresSealedRows } from '../keys/sealed-rows-postgres.ts'
import { supabaseSealedRows } from '../keys/sealed-rows-supabase.ts'
import { KEY_STORE_NAME } from '../keys/store-supabase.ts'
import type { Tables } from '../tables.ts'

// npm run keys:reencrypt: every provider key of every user under the first version of PROVIDER_KEY_ENCRYPTION_KEYS.

const USAGE = `npm run keys:reencrypt takes its settings from the environment of llm-proxy: PROVIDER_KEY_ENCRYPTION_KEYS,
DATABASE_MIGRATION_URL and, with KEY_STORE=supabase, SUPABASE_URL and a secret key of the project.

Exit code 0: every key is under the first version; 1: some could not be opened, by id; 2: it could not be done.`

/** A service does without the owner's URL, and this command without its own. */
const schema = z.object({ ...databaseEnv, ...keysEnv, DATABASE_URL: databaseEnv.DATABASE_URL.optional() })

const CALL = { timeoutMs: 30_000, maxAnswerBytes: 16 * 1024 ** 2, maxSockets: 4 }

try {
  process.exitCode = await main()
} catch (error) {
  const usage = error instanceof ConfigError ? `\n\n${USAGE}` : ''
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}${usage}\n`)
  process.exitCode = 2
}

async function main(): Promise<number> {
  const config = loadConfig(schema, process.env)
  const cipher = createKeyCipher(readKeyEncryptionKeys(config.PROVIDER_KEY_ENCRYPTION_KEYS))
  const log = createLogger({ service: 'llm-proxy', level: 'error' })
  const owner = openAsOwner<Tables>({ config, service: 'llm-proxy', log })
  const project = config.KEY_STORE === 'supabase' ? supabaseProject(config) : undefined
  if (config.KEY_STORE === 'supabase' && !project)
    throw new ConfigError([{ variable: 'SUPABASE_URL', message: 'is required with KEY_STORE=supabase' }])
  const client = project && createExternalClient({ ...CALL, ...supabaseOutside(project, KEY_STORE_NAME) })
  try {
    const rows =
      project && client ? supabaseSealedRows({ client, project, owner }) : postgresSealedRows(owner)
    const { renewed, all, unopened } = await reencryptKeys(rows, cipher)
    process.stdout.write(`${String(all)} provider keys, ${String(renewed)} of them sealed anew.\n`)
    if (unopened.length === 0) return 0
    process.stderr.write(`${String(unopened.length)} could not be opened:\n${unopened.join('\n')}\n`)
    return 1
  } finally {
    client?.close()
    await owner.close()
  }
}
