import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
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
  }
  expect(Object.keys(ready.services).sort()).toEqual([...SERVICES].sort())
  for (const url of Object.values(ready.services)) expect((await fetch(`${url}/readyz`)).status).toBe(200)
  const [account] = ready.accounts
  const login = await ask(`${ready.services.gateway}/auth/login`, {
    json: { username: account!.username, password: account!.password },
  })
  expect(login.status).toBe(200)
  expect((await fetch(`${ready.llm_upstream}/v1/models`)).status).toBe(401)

  child.kill('SIGTERM')
  const { stdout } = await finished
  expect(stdout.trim().split('\n')).toHaveLength(1)
  for (const url of [...Object.values(ready.services), ready.traces, ready.llm_upstream]) {
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
  }
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
