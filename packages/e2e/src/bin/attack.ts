import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ATTACKS } from '../attack/cases/index.ts'
import type { Operation } from '../attack/openapi.ts'
import { counts, table } from '../attack/report.ts'
import { runAttacks } from '../attack/run.ts'
import { createTarget } from '../attack/target.ts'
import type { TargetOptions } from '../attack/target.ts'

const USAGE = `npm run attack -- <base url> [options]

Attacks a running HTTP service from outside and prints what came of it; exits 1 when an attack goes through.
Only for services that are yours: it registers accounts where it can, and guesses passwords of made-up names.

  --path GET:/v1/things   a guarded route; one of the target's /openapi.json by default
  --body JSON             what is sent to it, when it is no GET
  --token NAME            a good token: the name of an environment variable or a file that holds it
  --other-token NAME      a good token of somebody else
  --api-key NAME          a good API key
  --jwks URL              the issuer's public keys; the target's /.well-known/jwks.json by default
  --only PREFIX           only the attacks whose id begins so, "forged/" for one
  --login-tries N         wrong passwords after which a 429 must have come (30); 0 does not try
  --timeout MS            how long an answer may take (10000)
  --read-only             leave out what registers accounts
  --json                  one JSON document in place of the table

A CA of your own is named by NODE_EXTRA_CA_CERTS.
`

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  process.exitCode = 2
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{
        path: { type: 'string' },
        body: { type: 'string' },
        token: { type: 'string' },
        'other-token': { type: 'string' },
      },
      ...{ 'api-key': { type: 'string' }, jwks: { type: 'string' }, only: { type: 'string', default: '' } },
      ...{ 'login-tries': { type: 'string' }, timeout: { type: 'string' } },
      ...{ 'read-only': { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    },
  })
  const [base, ...more] = positionals
  if (base === undefined || more.length > 0) throw new Error('Name one base URL.')
  const cases = ATTACKS.filter(({ id }) => id.startsWith(values.only))
  if (cases.length === 0) throw new Error(`No attack begins with ${values.only}.`)
  const options: TargetOptions = {
    ...(values.path !== undefined && { guarded: operationOf(values.path, values.body) }),
    ...(values.token !== undefined && { token: secretOf(values.token) }),
    ...(values['other-token'] !== undefined && { otherToken: secretOf(values['other-token']) }),
    ...(values['api-key'] !== undefined && { apiKey: secretOf(values['api-key']) }),
    ...(values.jwks !== undefined && { jwksUrl: values.jwks }),
    ...(values['login-tries'] !== undefined && {
      loginTries: numberOf('--login-tries', values['login-tries']),
    }),
    ...(values.timeout !== undefined && { timeoutMs: numberOf('--timeout', values.timeout) }),
  }
  const target = await createTarget(base, options)
  try {
    const progress = (id: string): unknown => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${id}`)
    const results = await runAttacks(target, cases, {
      readOnly: values['read-only'],
      told: ({ id }) => progress(id),
    })
    progress('')
    const summary = counts(results)
    const { url, guarded } = target
    const report = { ok: summary.fail === 0, target: url.href, guarded, summary, results }
    process.stdout.write(
      values.json
        ? `${JSON.stringify(report)}\n`
        : `${guarded.method} ${guarded.path} of ${url.href}\n\n${table(results)}\n`,
    )
    return summary.fail === 0 ? 0 : 1
  } finally {
    await target.close()
  }
}

/** `GET:/v1/things`. */
function operationOf(text: string, body: string | undefined): Operation {
  const [, method, path] = /^([A-Z]+):(\/\S*)$/.exec(text) ?? []
  if (method === undefined || path === undefined)
    throw new Error(`--path must be like GET:/v1/things, not ${text}.`)
  return { method, path, ...(body !== undefined && { body }) }
}

/** Never the secret itself: what stands on a command line is seen by everybody on the machine. */
function secretOf(name: string): string {
  const held = process.env[name]
  if (held !== undefined) return held.trim()
  try {
    return readFileSync(name, 'utf8').trim()
  } catch {
    throw new Error(
      'A token is named by an environment variable or a file that holds it; there is no such thing.',
    )
  }
}

function numberOf(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} must be a number.`)
  return Number(text)
}
