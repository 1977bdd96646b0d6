import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('fixtures/main.ts', import.meta.url))
const SECRET = 'canary-secret-canary-secret-canary'

/** The service as a process. `until` waits for a line of its output and gives it back. */
function run(environment: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, PORT: '0', API_SECRET: SECRET, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting: { pattern: RegExp; found: (line: string) => void }[] = []
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    for (const { pattern, found } of waiting) if (pattern.test(line)) found(line)
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const ended = new Promise<{ code: number | null; stderr: string; stdout: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stderr: errors, stdout: lines.join('\n') }))
  })
  const until = (pattern: RegExp): Promise<string> => {
    const seen = lines.find((line) => pattern.test(line))
    if (seen !== undefined) return Promise.resolve(seen)
    const line = new Promise<string>((found) => waiting.push({ pattern, found }))
    const gone = ended.then(({ stderr }) =>
      Promise.reject(new Error(`ended before ${String(pattern)}: ${stderr}`)),
    )
    return Promise.race([line, gone])
  }
  const url = async (): Promise<string> => (JSON.parse(await until(/"msg":"ready"/)) as { url: string }).url
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), until, url, ended }
}

describe('a service as a process', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s lets the request under way finish and ends with 0',
    async (signal) => {
      const small = run({})
      const answer = fetch(`${await small.url()}/v1/slow`)
      await small.until(/request arrived/)
      small.kill(signal)
      expect((await answer).status).toBe(200)
      expect(await small.ended).toMatchObject({ code: 0, stderr: '' })
    },
  )

  test('on SIGINT and SIGTERM together closes what it holds once and ends with 0', async () => {
    const small = run({})
    await small.url()
    small.kill('SIGINT')
    small.kill('SIGTERM')
    const { code, stdout } = await small.ended
    expect(code).toBe(0)
    expect(stdout.match(/closed what it holds/g)).toHaveLength(1)
  })

  test('on SIGTERM while it still waits for a neighbour ends with 0', async () => {
    const small = run({ START: 'never' })
    await small.until(/not ready yet/)
    small.kill('SIGTERM')
    expect(await small.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('whose port is taken says which service, which port and what to do, and ends with 1', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const { code, stderr } = await run({ PORT: String(port) }).ended
    taken.close()
    expect(code).toBe(1)
    expect(stderr).toBe(
      `small-service: port ${String(port)} on 127.0.0.1 is taken. Stop what listens there, or set PORT.\n`,
    )
  })

  test('whose environment is wrong names every variable, quotes none, and ends with 1', async () => {
    const { code, stderr } = await run({ PORT: 'canary', LOG_LEVEL: 'canary', API_SECRET: '' }).ended
    expect(code).toBe(1)
    expect(stderr).toBe(
      [
        'The configuration is not usable:',
        '  PORT: must be a whole number',
        '  LOG_LEVEL: must be one of fatal, error, warn, info, debug, trace, silent',
        '  API_SECRET: is required',
        '',
      ].join('\n'),
    )
  })

  test('prints no secret of its own', async () => {
    const small = run({ LOG_LEVEL: 'trace' })
    await small.url()
    small.kill('SIGTERM')
    const { stdout, stderr } = await small.ended
    expect(stdout + stderr).not.toContain('canary')
  })
})
