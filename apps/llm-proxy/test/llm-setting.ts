import { startScriptedUpstream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

export const PROVIDER_KEY = 'sk-provider-key-of-alice-0123456789'
const NAMES = ['openai', 'anthropic', 'gemini', 'mistral', 'openrouter']

/** The whole service in front of a provider that does as the test says; alice has a key for it under every name. */
export interface LlmSetting extends KeyedSetting {
  upstream: ScriptedUpstream
  /** The last request that the provider got. */
  sent(): { url: string; headers: Record<string, unknown>; body: Record<string, unknown> }
}

export async function startLlmSetting(environment: Record<string, string> = {}): Promise<LlmSetting> {
  const upstream = await startScriptedUpstream()
  const setting = await startKeyedSetting(Object.fromEntries(NAMES.map((name) => [name, upstream.url])), {
    LLM_REQUESTS_PER_MINUTE: 'free=100000',
    LLM_TOKENS_PER_MINUTE: 'free=100000000',
    ...environment,
  })
  for (const provider of NAMES) await setting.addKey({ provider, key: PROVIDER_KEY })
  return {
    ...setting,
    upstream,
    sent() {
      const { url = '', headers = {}, body } = upstream.seen.at(-1) ?? {}
      // What the provider gets from here is always a JSON object.
      return { url, headers, body: JSON.parse(body?.toString() ?? '{}') as Record<string, unknown> }
    },
    async close() {
      await setting.close()
      await upstream.close()
    },
  }
}
