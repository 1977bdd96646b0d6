import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SERVICES } from '@waybill/contracts'
import { expect, it } from 'vitest'
import { ask } from '../src/user.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

function run(
  script: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; finished: Promise<Finished>; firstLine: Promise<string> } {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const firstLine = new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      if (stdout.includes('\n')) resolve(stdout.slice(0, stdout.indexOf('\n')))
    })
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return { child, finished, firstLine }
}

it('npm run demo -- --json prints one document in which every journey holds, and exits 0', async () => {
  const { code, stdout, stderr } = await run('demo', ['--json']).finished
  expect(code, stderr.slice(-2000)).toBe(0)
  const report = JSON.parse(stdout) as {
    ok: boolean
    journeys: { requestId: string; traceId: string; hops: Record<string, unknown>[] }[]
  }
  expect(report.ok).toBe(true)
  expect(report.journeys.length).toBeGreaterThanOrEqual(10)
  for (const { requestId, traceId, hops } of report.journeys) {
    expect(requestId).toMatch(/^[\w.-]{1,64}$/)
    expect(traceId).toMatch(/^[0-9a-f]{32}$/)
    for (const hop of hops) {
      expect(Object.keys(hop).sort()).toEqual([
        'actors',
        'method',
        'ms',
        'route',
        'service',
        'status',
        'subject',
      ])
    }
  }
  const services = report.journeys.flatMap(({ hops }) => hops.map((hop) => hop.service))
  expect([...new Set(services)].sort()).toEqual([...SERVICES].sort())
})

it('npm run platform -- --json prints one line when ready, serves, and leaves no process behind after SIGTERM', async () => {
  const { child, finished, firstLine } = run('platform', ['--json'])
  const ready = JSON.parse(await firstLine) as {
    services: Record<string, string>
    accounts: { username: string; password: string }[]
    traces: string
    llm_upstream: string
    reencryption: Record<string, string>
  }
  expect(Object.keys(ready.services).sort()).toEqual([...SERVICES].sort())
  for (const url of Object.values(ready.services)) expect((await fetch(`${url}/readyz`)).status).toBe(200)
  const [account] = ready.accounts
  const login = await ask(`${ready.services.gateway}/auth/login`, {
    json: { username: account!.username, password: account!.password },
  })
  expect(login.status).toBe(200)
  expect((await fetch(`${ready.llm_upstream}/v1/models`)).status).toBe(401)

  // What it says of re-encryption is all that the command needs: see docs/rotation.md.
  const { access_token: token } = login.body as { access_token: string }
  const key = { provider: 'mock', key: 'sk-to-be-sealed-anew' }
  expect(
    (
      await ask(`${ready.services.gateway}/keys`, {
        headers: { Authorization: `Bearer ${token}` },
        json: key,
      })
    ).status,
  ).toBe(201)
  const old = ready.reencryption.PROVIDER_KEY_ENCRYPTION_KEYS ?? ''
  const reencrypted = await run('keys:reencrypt', [], {
    ...ready.reencryption,
    PROVIDER_KEY_ENCRYPTION_KEYS: `v2:${randomBytes(32).toString('base64')},${old}`,
  }).finished
  expect(reencrypted).toMatchObject({ code: 0, stdout: '1 provider keys, 1 of them sealed anew.\n' })

  child.kill('SIGTERM')
  const { stdout } = await finished
  expect(stdout.trim().split('\n')).toHaveLength(1)
  for (const url of [...Object.values(ready.services), ready.traces, ready.llm_upstream]) {
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
  }
})

it('npm run llm-upstream -- --help says which keys are good and where the faults are, and starts nothing', async () => {
  const { code, stdout } = await run('llm-upstream', ['--help'], { LLM_UPSTREAM_PORT: 'no port' }).finished
  expect(code).toBe(0)
  expect(stdout).toMatch(/sk-[^]*packages\/dev-env\/src\/llm-upstream\/README\.md/)
})

it('a wrong PROVIDERS_FILE stops the platform with an error of llm-proxy that names the place in it', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'waybill-wrong-')), 'providers.json')
  writeFileSync(
    file,
    '{"providers":[{"name":"Not-A-Name","protocol":"openai","base_url":"https://llm.example.com"}]}',
  )
  const { code, stderr } = await run('platform', ['--json'], { PROVIDERS_FILE: file }).finished
  rmSync(dirname(file), { recursive: true })
  expect(code).not.toBe(0)
  expect(stderr).toContain('PROVIDERS_FILE')
  expect(stderr).toContain('providers.0.name: must be lower case')
  expect(stderr).not.toContain('LLM_PROVIDERS')
})

it('a taken port stops the platform with an error that names the service, the port and the variable', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const { port } = squatter.address() as AddressInfo
  try {
    const { code, stderr } = await run('platform', ['--json'], { DATA_STORE_PORT: String(port) }).finished
    expect(code).not.toBe(0)
    expect(stderr).toContain(String(port))
    expect(stderr).toContain('DATA_STORE_PORT')
  } finally {
    squatter.close()
  }
})
