import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask as askAi } from './examples/ai-sdk.ts'
import { ask as askAnthropic } from './examples/anthropic.ts'
import { ask as askAny } from './examples/any-provider.ts'
import { ask as askGoogle } from './examples/google.ts'
import { ask as askOpenAi } from './examples/openai.ts'
import { startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const DOCS = read('../../../docs/llm-proxy.md')
const ANSWER = '[1234] Good morning'

let vendors: Vendors
beforeAll(async () => {
  // The AI SDK asks Anthropic for 64,000 tokens of output where nobody says how many.
  vendors = await startVendors({
    API_KEY_LLM_TOKENS_PER_MINUTE: 'free=1000000,standard=1000000,premium=1000000',
  })
})
afterAll(() => vendors.close())

test.each([
  ['openai', askOpenAi, ANSWER],
  ['any-provider', askAny, ANSWER],
  ['anthropic', askAnthropic, ANSWER],
  ['ai-sdk', askAi, [ANSWER, ANSWER]],
  ['google', askGoogle, ANSWER],
])(
  'the example of docs/llm-proxy.md for %s is compiled, and works with a token and an API key',
  async (...args) => {
    const [name, ask, answer] = args
    expect(DOCS).toContain(read(`examples/${name}.ts`))
    for (const credential of [await vendors.proxy.tokenOf('alice'), vendors.proxy.issuer.apiKey('alice')])
      expect(await ask(vendors.proxy.url, credential)).toEqual(answer)
  },
)
