import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { ATTACKS } from '../src/attack/cases/index.ts'
import { table } from '../src/attack/report.ts'
import { runAttacks } from '../src/attack/run.ts'
import type { Result } from '../src/attack/run.ts'
import { createTarget } from '../src/attack/target.ts'
import { startNaiveParser } from './naive-parser.ts'
import { HOLES } from './weak-holes.ts'
import type { Hole } from './weak-holes.ts'
import { startWeakServer } from './weak-server.ts'
import { GOOD_KEY, goodToken } from './weak-tokens.ts'

const COMMAND = fileURLToPath(new URL('../src/bin/attack.ts', import.meta.url))

/** With a hole, the attacks of the family that must find it. */
async function attack(hole?: Hole): Promise<Result[]> {
  const server = await startWeakServer(hole)
  const target = await createTarget(server.url, {
    token: goodToken('ann'),
    otherToken: goodToken('bob'),
    apiKey: GOOD_KEY,
    // A lenient parser waits for what is not to come; how long is no matter.
    timeoutMs: hole === 'lenient-parser' ? 100 : 10_000,
  })
  try {
    const family = hole === undefined ? '' : FOUND_BY[hole].replace(/\/.*/, '/')
    return await runAttacks(
      target,
      ATTACKS.filter(({ id }) => id.startsWith(family)),
    )
  } finally {
    await target.close()
    await server.close()
  }
}

const idsOf = (results: readonly Result[], outcome: Result['outcome']): string[] =>
  results.filter((result) => result.outcome === outcome).map(({ id }) => id)

/** What each mistake must be found by, whatever else it is found by. */
const FOUND_BY: Record<Hole, string> = {
  'alg-none': 'algorithms/alg-none',
  'public-key-as-hmac-secret': 'algorithms/public-key-as-hmac-secret',
  'weak-hmac-secret': 'algorithms/weak-hmac-secrets',
  'key-in-the-header': 'keys/key-in-the-header',
  'key-by-reference': 'keys/key-by-reference',
  'kid-as-path': 'keys/kid-injection',
  'own-key-trusted': 'keys/own-key',
  'signature-not-checked': 'signatures/changed-claims',
  'crashes-on-odd-tokens': 'spelling/payloads',
  'zero-signature': 'signatures/psychic-signature',
  'der-signature': 'spelling/der-signature',
  'lenient-base64': 'spelling/spare-bits',
  'first-of-two-headers': 'credentials/two-authorizations',
  'key-beside-token': 'credentials/two-kinds',
  'token-in-query': 'credentials/in-the-query',
  'token-in-cookie': 'credentials/in-other-places',
  'any-scheme': 'credentials/other-schemes',
  'second-word': 'credentials/scheme-tricks',
  'empty-is-fine': 'credentials/empty',
  'default-api-key': 'credentials/api-key-by-guess',
  'api-key-any-case': 'api-keys/near-misses',
  'api-key-in-query': 'api-keys/in-other-places',
  'no-challenge': 'credentials/none',
  'error-in-challenge': 'credentials/none',
  'bad-token-is-403': 'credentials/garbage-bearer',
  'user-id-header': 'identity/headers-instead-of-a-credential',
  'user-id-header-wins': 'identity/headers-beside-a-credential',
  'connection-crash': 'identity/connection-takes-the-credential-away',
  'exempt-anywhere': 'paths/by-way-of-an-open-one',
  'guard-by-exact-path': 'paths/letter-case',
  'localhost-trusted': 'paths/trusted-places',
  'rewrite-after-guard': 'paths/rewriting-headers',
  'method-override': 'paths/method-override',
  'head-unguarded': 'paths/other-methods',
  'decodes-twice': 'paths/encoded',
  'absolute-form-unguarded': 'paths/absolute-form',
  'lenient-parser': 'smuggling/length-and-chunks',
  'crashes-on-size': 'smuggling/too-much',
  'redirect-to-host': 'redirects/host-header',
  'redirect-to-path': 'redirects/path-as-host',
  'redirect-to-parameter': 'redirects/by-parameter',
  'stack-traces': 'disclosure/inside-of-the-program',
  'repeats-input': 'disclosure/secrets-come-back',
  'html-errors': 'disclosure/problem-documents',
  'public-cache': 'disclosure/cached-refusals',
  'powered-by': 'disclosure/software-named',
  'hostile-request-id': 'disclosure/request-id',
  'debug-pages': 'disclosure/debug-pages',
  'role-from-body': 'accounts/role-in-the-body',
  'conditions-from-body': 'accounts/conditions-in-the-body',
  'says-who-exists': 'accounts/enumeration-by-login',
  'no-limit': 'accounts/guessing-is-slowed-down',
}

describe('the attacks on a small service', () => {
  const found = new Set<string>()

  it('find nothing when it has no hole, and try everything', async () => {
    const results = await attack()
    expect(idsOf(results, 'fail'), table(results)).toEqual([])
    expect(idsOf(results, 'skipped')).toEqual([])
  })

  it.each(HOLES)('find %s', async (hole) => {
    const results = await attack(hole)
    const failed = idsOf(results, 'fail')
    for (const id of failed) found.add(id)
    expect(failed).toContain(FOUND_BY[hole])
  })

  it('find two answers where a parser sees two requests in one', async () => {
    const server = await startNaiveParser()
    const target = await createTarget(server.url, { guarded: { method: 'GET', path: '/' }, timeoutMs: 100 })
    const smuggling = ATTACKS.filter(({ id }) => id.startsWith('smuggling/'))
    const failed = idsOf(await runAttacks(target, smuggling), 'fail')
    for (const id of failed) found.add(id)
    expect(failed).toEqual(expect.arrayContaining(['smuggling/two-lengths', 'smuggling/chunk-sizes']))
    await target.close()
    await server.close()
  })

  it('can all fail: there is a hole for each', () => {
    expect(ATTACKS.map(({ id }) => id).filter((id) => !found.has(id))).toEqual([])
  })

  it('have ids of their own', () => {
    expect(new Set(ATTACKS.map(({ id }) => id)).size).toBe(ATTACKS.length)
  })
})

describe('npm run attack', () => {
  const running: { close(): Promise<void> }[] = []
  afterAll(() => Promise.all(running.map((server) => server.close())))

  async function run(
    args: string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [COMMAND, ...args], { env: { ...process.env, ...env } })
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { code: code as number, stdout, stderr }
  }
  const server = async (hole?: Hole): Promise<string> => {
    const started = await startWeakServer(hole)
    running.push(started)
    return started.url
  }

  it('prints a table and exits 0 when nothing goes through', async () => {
    const { code, stdout, stderr } = await run([await server(), '--token', 'GOOD'], {
      GOOD: goodToken('ann'),
    })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^pass {2}algorithms\/alg-none +401 for 30 variants +401 +RFC 8725/m)
    expect(stdout).toMatch(/\d+ passed, 0 failed, 3 not tried\n$/)
  })

  it('exits 1 and says what went through, in JSON too', async () => {
    const { code, stdout } = await run([await server('alg-none'), '--json', '--only', 'algorithms/'])
    expect(code).toBe(1)
    const report = JSON.parse(stdout) as { ok: boolean; guarded: unknown; results: Result[] }
    expect(report).toMatchObject({ ok: false, guarded: { method: 'GET', path: '/v1/things' } })
    expect(report.results.find(({ id }) => id === 'algorithms/alg-none')).toMatchObject({ outcome: 'fail' })
  })

  it('never prints the tokens that it was given', async () => {
    const token = goodToken('ann')
    const { stdout, stderr } = await run([await server('repeats-input'), '--token', 'GOOD', '--json'], {
      GOOD: token,
    })
    expect(stdout + stderr).not.toContain(token.split('.')[2])
  })

  it.each([
    [[], 'Name one base URL'],
    [['http://127.0.0.1:1'], 'ECONNREFUSED'],
    [['http://127.0.0.1:1', '--path', 'things'], '--path must be like'],
    [['http://127.0.0.1:1', '--token', 'NO_SUCH_THING'], 'A token is named by'],
    [['http://127.0.0.1:1', '--only', 'nothing/'], 'No attack begins with'],
  ])('%j is answered with what is missing, and exit 2', async (args, message) => {
    const { code, stderr } = await run(args)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })

  it('a secret on the command line is not repeated', async () => {
    const { code, stderr } = await run(['http://127.0.0.1:1', '--token', goodToken('ann')])
    expect(code).toBe(2)
    expect(stderr).not.toContain('eyJ')
  })
})
