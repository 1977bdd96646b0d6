import { parseArgs } from 'node:util'
import pg from 'pg'
import { lintRowSecurity } from '../lint/row-security.ts'

// npm run db:lint: whether row-level security binds every request of a service, by the catalogs of its database.

const USAGE = `Usage: npm run db:lint -- [options] [<url>]

The URL is the service's own DATABASE_URL, which is also taken from the environment; nothing is changed.

  --user-role ROLE    what requests run as; the URL's role followed by _user unless said
  --except "RULE OBJECT"   a finding that is to be so, as it is printed; may be repeated

Exit code 0: nothing found; 1: findings, a line each; 2: the database could not be asked.`

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`)
  process.exitCode = 2
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'user-role': { type: 'string' }, except: { type: 'string', multiple: true, default: [] } },
  })
  const url = positionals[0] ?? process.env.DATABASE_URL ?? ''
  if (!URL.canParse(url)) throw new Error('There is no URL, or it is none.')
  const loginRole = decodeURIComponent(new URL(url).username)
  const userRole = values['user-role'] ?? `${loginRole}_user`
  const exceptions = Object.fromEntries(values.except.map((name) => [name, 'by --except']))
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    const findings = await lintRowSecurity(client, { loginRole, userRole, exceptions })
    for (const { rule, object, message } of findings) process.stdout.write(`${rule} ${object}: ${message}\n`)
    if (findings.length === 0) process.stdout.write('Row-level security: nothing found.\n')
    return findings.length === 0 ? 0 : 1
  } finally {
    await client.end()
  }
}
