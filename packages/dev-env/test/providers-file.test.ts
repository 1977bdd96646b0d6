import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSecrets, serviceEnvironments, startPlatform } from '../src/index.ts'
import { providersFileFor, wantsVendorsAtMock } from '../src/llm-upstream/providers-file.ts'
import { perService } from '../src/services.ts'

const URL_OF_MOCK = 'http://127.0.0.1:54332'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-providers-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function environments(vendorsAt: string | undefined, inherited: NodeJS.ProcessEnv = {}) {
  return serviceEnvironments(
    {
      urls: perService(() => 'http://127.0.0.1:9000'),
      postgres: { url: () => 'postgresql://x', migrationUrl: () => 'postgresql://y' },
      ...{ secrets: loadSecrets(folder), traces: 'http://127.0.0.1:4318', dataDir: folder },
      providers: { file: providersFileFor(inherited, folder, URL_OF_MOCK), vendorsAt },
    },
    inherited,
  )
}

test('llm-proxy alone is told of the mock upstream, in both protocols', () => {
  const { 'llm-proxy': llmProxy, gateway } = environments(undefined)
  const { providers } = JSON.parse(readFileSync(llmProxy.PROVIDERS_FILE ?? '', 'utf8')) as {
    providers: unknown
  }
  expect(providers).toEqual([
    { name: 'mock', protocol: 'openai', base_url: URL_OF_MOCK, private: true },
    { name: 'mock-anthropic', protocol: 'anthropic', base_url: URL_OF_MOCK, private: true },
  ])
  expect(llmProxy).not.toHaveProperty('PROVIDER_URLS')
  expect(gateway).not.toHaveProperty('PROVIDERS_FILE')
})

test('the gateway has a path for each of them, and none for a file that cannot be read', () => {
  expect(environments(undefined).gateway.LLM_PROVIDERS).toBe('mock=openai,mock-anthropic=anthropic')
  expect(environments(undefined, { PROVIDERS_FILE: '/not-there.json' }).gateway.LLM_PROVIDERS).toBe('')
})

test.each([
  ['a name that is none', { name: 'My-Azure', protocol: 'openai' }],
  ['a name that is taken', { name: 'keys', protocol: 'openai' }],
  ['a name that is no text', { name: 1, protocol: 'openai' }],
  ['a protocol that is none', { name: 'vllm', protocol: 'grpc' }],
  ['nothing', null],
])('the gateway is not told of a provider that llm-proxy is to refuse: %s', (_what, declared) => {
  const file = join(folder, 'own.json')
  writeFileSync(file, JSON.stringify({ providers: [declared, { name: 'good', protocol: 'anthropic' }] }))
  expect(environments(undefined, { PROVIDERS_FILE: file }).gateway.LLM_PROVIDERS).toBe('good=anthropic')
  writeFileSync(file, JSON.stringify({ providers: declared }))
  expect(environments(undefined, { PROVIDERS_FILE: file }).gateway.LLM_PROVIDERS).toBe('')
})

test("the user's own file wins, and its path is made whole", () => {
  const { 'llm-proxy': llmProxy } = environments(undefined, { PROVIDERS_FILE: 'my/providers.json' })
  expect(llmProxy.PROVIDERS_FILE).toMatch(/^\/.*\/my\/providers\.json$/)
  expect(environments(undefined, { PROVIDERS_FILE: '/a.json' })['llm-proxy'].PROVIDERS_FILE).toBe('/a.json')
})

test('all five vendors are the mock when that is wanted, unless the user says where they are', () => {
  const { 'llm-proxy': llmProxy } = environments(URL_OF_MOCK)
  const names = ['openai', 'anthropic', 'gemini', 'mistral', 'openrouter']
  expect(llmProxy.PROVIDER_URLS).toBe(names.map((name) => `${name}=${URL_OF_MOCK}`).join())
  const own = { PROVIDER_URLS: 'openai=http://127.0.0.1:1' }
  expect(environments(URL_OF_MOCK, own)['llm-proxy'].PROVIDER_URLS).toBe(own.PROVIDER_URLS)
})

test('WAYBILL_VENDORS is mock or nothing; the platform does not start with anything else', async () => {
  expect(wantsVendorsAtMock({})).toBe(false)
  expect(wantsVendorsAtMock({ WAYBILL_VENDORS: 'mock' })).toBe(true)
  await expect(startPlatform({ env: { WAYBILL_VENDORS: 'mocked' } })).rejects.toThrow(
    'WAYBILL_VENDORS must be mock',
  )
})
