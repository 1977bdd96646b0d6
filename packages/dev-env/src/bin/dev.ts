import { SERVICES } from '@waybill/contracts'
import { collectionsFileOf, readCollections } from '../collections-file.ts'
import { startPlatformFileMaker } from '../filemaker/platform-filemaker.ts'
import { startPlatformLlmUpstream } from '../llm-upstream/platform-llm-upstream.ts'
import { seedAccounts } from '../platform/accounts.ts'
import { development } from '../platform/development.ts'
import { waitUntilReady } from '../platform/readiness.ts'
import { startPostgres } from '../postgres/start.ts'
import { startPlatformSupabase } from '../postgrest/platform-supabase.ts'
import { startTraceReceiver } from '../traces/receiver.ts'
import { aborted, stopRequest } from './stop-request.ts'
import { overview } from './table.ts'

/** A service may be waiting for its code to be mended; this part waits along. */
const READY_MS = 24 * 3600 * 1000

// The part of `npm run dev` that is no service: PostgreSQL, the trace page, the accounts, and the table of it all.
try {
  const stop = stopRequest()
  const { urls, ports, secrets, postgresFolder, fileMakerFile } = development(process.env)
  const collections = readCollections(collectionsFileOf(process.env))
  const receiver = await startTraceReceiver({ port: ports.traces })
  const postgres = await startPostgres({
    dataDir: postgresFolder,
    port: ports.postgres,
    passwordOf: secrets.databasePassword,
    log: (line) => void process.stderr.write(`${line}\n`),
  })
  const supabase = await startPlatformSupabase({
    ...{ adminUrl: postgres.adminUrl, secrets, collections, port: ports.postgrest },
    log: (line) => void process.stderr.write(`${line}\n`),
  })
  const fileMaker = await startPlatformFileMaker({
    ...{ secrets, collections, file: fileMakerFile, port: ports.filemaker },
  })
  const llmUpstream = await startPlatformLlmUpstream(ports.llmUpstream)
  const keys = supabase?.believe(urls['auth-service'])
  try {
    await Promise.all(SERVICES.map((service) => waitUntilReady(urls[service], READY_MS, stop)))
    const accounts = await seedAccounts(urls.gateway, secrets)
    process.stdout.write(
      overview(
        {
          ...{ ...urls, traces: receiver.url, 'llm-upstream': llmUpstream.url },
          postgres: `127.0.0.1:${ports.postgres}`,
        },
        accounts,
      ),
    )
    await aborted(stop)
  } finally {
    await keys?.close()
    await supabase?.close()
    await fileMaker.close()
    await llmUpstream.close()
    await postgres.close()
    await receiver.close()
  }
  process.exit(0)
} catch (error) {
  const stopped = error instanceof Error && error.name === 'AbortError'
  if (!stopped) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(stopped ? 0 : 1)
}
