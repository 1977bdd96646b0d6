import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { llmProxy } from '@waybill/contracts'
import { startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fill } from '../src/http-file.ts'
import { missingEndpoints, readHttpFile, runExamples } from '../src/run-http-file.ts'

const DOCS = readFileSync(new URL('../../../docs/llm-proxy.md', import.meta.url), 'utf8')
/** A line that fails ends the script, and so does an answer that is no success. */
const STRICT = 'set -euo pipefail; curl() { command curl -sS --fail-with-body "$@"; }'
const missing = ['bash', 'curl'].filter((tool) => spawnSync(tool, ['--version']).status !== 0)
const unlessMissing = missing.length > 0 ? ` SKIPPED: there is no ${missing.join(' and no ')}` : ''

let platform: Platform
beforeAll(async () => {
  // As `WAYBILL_VENDORS=mock npm run platform`, which is what both documents ask for.
  platform = await startPlatform({ vendorsAtMock: true, env: { ...process.env, LOG_LEVEL: 'warn' } })
}, 120_000)
afterAll(() => platform.close())

describe('docs/llm-proxy.md', () => {
  it.skipIf(missing.length > 0)(
    `has lines for a shell that work one after the other, from the first call on${unlessMissing}`,
    async () => {
      const [start = '', first = '', ...others] = [...DOCS.matchAll(/```sh\n(.*?)```/gs)].map(
        ([, lines = '']) => lines,
      )
      expect(start).toContain('GATEWAY_PORT=8080 WAYBILL_VENDORS=mock npm run platform')
      expect(first).toContain('http://127.0.0.1:8080')
      const asHere = first.replace('http://127.0.0.1:8080', platform.services.gateway)
      const script = [STRICT, asHere, ...others].join('\n')
      const { stdout } = await promisify(execFile)('bash', ['-c', script], { timeout: 60_000 })
      expect(stdout).toContain('[ours] Good morning')
      expect(stdout).toContain('"api_key":"wb_')
      expect(stdout).toContain('data: [DONE]')
    },
  )
})

describe('docs/http/llm-proxy.http', () => {
  const { variables, examples } = readHttpFile('llm-proxy.http')

  it('runs from top to bottom', async () => {
    const { services, accounts } = platform
    const admin = accounts.find(({ role }) => role === 'admin')!
    const user = accounts.find(({ role }) => role === 'user')!
    const ours = [
      ['auth', services['auth-service']],
      ['gateway', services.gateway],
      ['adminUsername', admin.username],
      ['adminPassword', admin.password],
      ['username', user.username],
      ['password', user.password],
    ] as const
    await runExamples(examples, new Map([...variables, ...ours]))
  })

  it('has every endpoint of the contract, and a call for every path that the service tells of', async () => {
    expect(missingEndpoints(llmProxy, examples)).toEqual([])
    const answer = await fetch(`${platform.services['llm-proxy']}/openapi.json`)
    const { paths } = (await answer.json()) as { paths: object } // openapi.test.ts of service-kit is about its form
    const values = new Map([...variables, ['gateway', ''] as const])
    const shown = examples.map(({ url }) =>
      url.startsWith('{{gateway}}') ? fill(withoutIds(url), values) : '',
    )
    const unseen = Object.keys(paths).filter((path) => {
      const pattern = new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '.+')}(?:\\?.*)?$`)
      return !shown.some((url) => pattern.test(url))
    })
    // The mock upstream once more, in the place of a provider of one's own that speaks Anthropic's protocol.
    expect(unseen).toEqual(['/mock-anthropic/{path}'])
  })
})

function withoutIds(url: string): string {
  return url.replaceAll(/\{\{\w+\.response\.body\.\w+\}\}/g, 'x')
}
