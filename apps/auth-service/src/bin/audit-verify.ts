import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { AuthClient } from '@waybill/auth/client'
import { authService } from '@waybill/contracts'
import { walkAudit } from '../audit/audit-walk.ts'
import type { NotedHead, ReadAuditPage } from '../audit/audit-walk.ts'

// npm run audit:verify: reads the whole audit as an administrator, and computes every hash anew.

const USAGE = `Usage: npm run audit:verify -- --url <gateway or auth-service> [--token-file <file>] [--head <seq>:<hash>]

Without --token-file it logs in with WAYBILL_ADMIN_USERNAME and WAYBILL_ADMIN_PASSWORD.
--head is the end of the chain that an earlier run has printed: it must still be part of it.

Exit code 0: the chain is whole; 1: it is broken, and where; 2: it could not be read.`

const PAGE = 1000

class UsageError extends Error {}

try {
  const { values } = parseArgs({
    options: { url: { type: 'string' }, 'token-file': { type: 'string' }, head: { type: 'string' } },
  })
  if (values.url === undefined || !URL.canParse(values.url)) throw new UsageError('--url must be a URL.')
  const verdict = await walkAudit(await reader(values.url, values['token-file']), notedHead(values.head))
  if (verdict.intact) process.stdout.write(`The audit is whole. Head: ${verdict.seq}:${verdict.hash}\n`)
  else process.stderr.write(`The audit is broken: ${verdict.reason}.\n`)
  process.exitCode = verdict.intact ? 0 : 1
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  const isUsage = error instanceof UsageError || (error instanceof TypeError && message.includes('option'))
  process.stderr.write(`${message}\n${isUsage ? `\n${USAGE}\n` : ''}`)
  process.exitCode = 2
}

function notedHead(text: string | undefined): NotedHead | undefined {
  if (text === undefined) return undefined
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? []
  if (seq === undefined || hash === undefined) throw new UsageError('--head must be <seq>:<hash>.')
  return { seq: Number(seq), hash }
}

async function reader(baseUrl: string, tokenFile: string | undefined): Promise<ReadAuditPage> {
  const request = await (tokenFile === undefined ? loggedIn(baseUrl) : withToken(baseUrl, tokenFile))
  return async (after) => {
    const answer = await request(`/auth/audit?after=${after}&limit=${PAGE}`)
    if (answer.ok) return authService.auditPage.parse(await answer.json())
    throw new Error(`GET /auth/audit was answered ${answer.status}.`)
  }
}

type Request = (path: string) => Promise<Response>

async function loggedIn(baseUrl: string): Promise<Request> {
  const { WAYBILL_ADMIN_USERNAME: username, WAYBILL_ADMIN_PASSWORD: password } = process.env
  if (!username || !password) {
    throw new UsageError('WAYBILL_ADMIN_USERNAME and WAYBILL_ADMIN_PASSWORD are needed without --token-file.')
  }
  const client = new AuthClient({ baseUrl })
  await client.login(username, password)
  return (path) => client.request('GET', path)
}

async function withToken(baseUrl: string, file: string): Promise<Request> {
  const token = (await readFile(file, 'utf8')).trim()
  return (path) =>
    fetch(new URL(path, baseUrl), { headers: { Authorization: `Bearer ${token}` }, redirect: 'error' })
}
