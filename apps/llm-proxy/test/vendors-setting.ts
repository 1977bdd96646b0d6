import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLlmUpstream } from '@waybill/dev-env'
import type { LlmUpstream } from '@waybill/dev-env'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

/** The key of alice for every vendor; the mock upstream tells the last four of what it saw. */
export const KEY = 'sk-of-alice-1234'

const BUILT_IN = ['openai', 'anthropic', 'gemini', 'mistral', 'openrouter']

/** llm-proxy with all vendors at the mock upstream, and alice's keys for them. */
export interface Vendors {
  upstream: LlmUpstream
  proxy: Setting
  addKey(user: string, provider: string, key: string): Promise<void>
  close(): Promise<void>
}

/** `file`: more of PROVIDERS_FILE; the mock upstream's URL stands where it says `MOCK`. */
export async function startVendors(
  environment: Record<string, string> = {},
  file: object = {},
): Promise<Vendors> {
  const upstream = await startLlmUpstream({ accepts: (key) => /^(sk-(?!invalid)|canary)/.test(key) })
  const folder = mkdtempSync(join(tmpdir(), 'llm-proxy-vendors-'))
  const providersFile = join(folder, 'providers.json')
  writeFileSync(providersFile, JSON.stringify(file).replaceAll('MOCK', upstream.url))
  const proxy = await startSetting({
    PROVIDER_URLS: BUILT_IN.map((name) => `${name}=${upstream.url}`).join(','),
    PROVIDERS_FILE: providersFile,
    ...environment,
  })
  const addKey = async (user: string, provider: string, key: string) => {
    const { status, text } = await proxy.post('/keys', { provider, key }, user)
    if (status !== 201) throw new Error(`The key was not taken: ${String(status)} ${text}`)
  }
  for (const provider of BUILT_IN) await addKey('alice', provider, KEY)
  return {
    upstream,
    proxy,
    addKey,
    async close() {
      await proxy.close()
      await upstream.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
