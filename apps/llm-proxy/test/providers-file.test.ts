import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@waybill/service-kit'
import { afterAll, describe, expect, test } from 'vitest'
import { createCatalog } from '../src/providers/catalog.ts'
import { isOpen } from '../src/providers/open-paths.ts'
import { readProvidersFile } from '../src/providers/providers-file.ts'
import { createRouting } from '../src/routing/create-routing.ts'

const folder = mkdtempSync(join(tmpdir(), 'providers-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const read = (content: unknown) => {
  const path = join(folder, 'providers.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  const file = readProvidersFile(path)
  const catalog = createCatalog({ PROVIDERS_FILE: path, PROVIDER_URLS: [], PRIVATE_UPSTREAMS: [] })
  createRouting(file.routes, { catalog })
  return { file, catalog }
}
const faultsOf = (content: unknown): string[] => {
  try {
    read(content)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message)
    throw error
  }
  throw new Error('nothing was wrong with it')
}

const vllm = { name: 'vllm', protocol: 'openai', base_url: 'http://10.0.0.5:8000/', private: true }
const provider = (more: object) => ({ providers: [{ ...vllm, ...more }] })
const azure = {
  name: 'azure',
  protocol: 'openai',
  base_url: 'https://example.openai.azure.com/openai',
  credential_header: 'api-key',
  query: { 'api-version': '2024-10-21' },
  telemetry_name: 'azure.ai.openai',
}

describe('a file of providers', () => {
  test('adds to the five that are built in', () => {
    const { catalog } = read({ providers: [vllm, azure] })
    expect(catalog.all().map(({ name }) => name)).toEqual([
      ...['openai', 'anthropic', 'gemini', 'mistral', 'openrouter', 'vllm', 'azure'],
    ])
    expect(catalog.find('vllm')).toMatchObject({
      ...{ baseUrl: 'http://10.0.0.5:8000', openAiPath: '/v1', telemetryName: 'vllm' },
      ...{ allowPrivate: true, needsKey: true, includeUsage: true },
    })
    expect(catalog.find('azure')).toMatchObject({
      ...{ baseUrl: 'https://example.openai.azure.com/openai', credentialHeader: 'api-key' },
      ...{ query: { 'api-version': '2024-10-21' }, telemetryName: 'azure.ai.openai', allowPrivate: false },
    })
  })

  test('is in the README as one that can be used', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const [, example] = /## Providers and routes[^]*?```json\n([^]*?)```/.exec(readme)!
    const { file } = read(example)
    expect([file.providers.length, file.routes.length, file.prices.length]).toEqual([3, 2, 1])
  })

  test('says nothing of OpenAI where the protocol is another, or null is said', () => {
    const { catalog } = read({
      providers: [
        { ...azure, name: 'a', protocol: 'anthropic' },
        { ...azure, name: 'b', open_ai_path: null },
        { ...azure, name: 'c', protocol: 'gemini', open_ai_path: '/v1beta/openai' },
      ],
    })
    expect(['a', 'b', 'c'].map((name) => catalog.find(name)?.openAiPath)).toEqual([
      ...[undefined, undefined, '/v1beta/openai'],
    ])
    expect(catalog.find('a')?.includeUsage).toBe(false)
  })

  test('opens to users what models are asked by, where a server is private or takes no key, unless it says what', () => {
    const { catalog } = read({
      providers: [
        vllm,
        { ...azure, name: 'keyless', needs_key: false },
        { ...vllm, name: 'claude', protocol: 'anthropic' },
        { ...vllm, name: 'all', paths: ['/'] },
        { ...vllm, name: 'some', paths: ['/v1/chat', '/api/chat'] },
        azure,
      ],
    })
    const openOf = (name: string, ...paths: string[]) =>
      paths.filter((path) => isOpen(path, catalog.find(name)!))
    const PATHS = ['/v1/chat/completions', '/v1/models/a/b', '/v1/messages', '/api/chat']
    const CLOSED = ['/api/delete', '/metrics', '/v1/load_lora_adapter', '/v1/modelsx', '/v1', '/V1/MODELS']
    expect(openOf('vllm', ...PATHS, ...CLOSED)).toEqual(PATHS.slice(0, 3))
    expect(openOf('keyless', ...PATHS, ...CLOSED)).toEqual(PATHS.slice(0, 3))
    expect(openOf('claude', ...PATHS, ...CLOSED)).toEqual(['/v1/models/a/b', '/v1/messages'])
    expect(openOf('some', ...PATHS, ...CLOSED)).toEqual(['/v1/chat/completions', '/api/chat'])
    for (const name of ['all', 'azure']) expect(openOf(name, ...PATHS, ...CLOSED)).toHaveLength(10)
    expect(faultsOf(provider({ paths: ['v1'] }))).toEqual([expect.stringContaining('providers.0.paths.0')])
  })

  test('that is not there, or no JSON, stops the start without quoting it', () => {
    expect(() => readProvidersFile(join(folder, 'none.json'))).toThrow(
      'PROVIDERS_FILE: cannot be read (ENOENT)',
    )
    expect(faultsOf('{ "sk-planted')).toEqual(['is not JSON'])
  })

  test('with many faults names all of them, each by its place', () => {
    expect(
      faultsOf({
        providers: [
          { name: 'Vllm', protocol: 'grpc', base_url: 'ftp://x' },
          { ...azure, base_url: 'http://x' },
        ],
        routes: [{ fallbacks: [{ provider: 'openai', weight: 2 }] }],
        prices: [{ provider: 'openai', model: 'x', input_per_million: '1', output_per_million: 1 }],
      }),
    ).toEqual([
      'providers.0.name: must be lower case, begin with a letter and have at most 40 characters',
      'providers.0.protocol: must be one of openai, anthropic, gemini',
      'providers.0.base_url: must be an http or https URL',
      'providers.1.base_url: must be https, since the key goes there; http is for `"private": true`',
      expect.stringContaining('routes.0.fallbacks.0: '),
      'routes.0: needs a name, a match or both; `"match": {}` is everything',
      expect.stringContaining('prices.0.input_per_million: '),
      expect.stringContaining('prices.0.currency: '),
    ])
  })

  test.each([
    ...['openai', 'keys', 'usage', 'llm', 'execute', 'tokenize', 'v1', 'local', 'docs', 'livez', 'readyz'],
    ...['metrics', 'auth', 'data', 'work', 'docling'],
  ])('may not call a provider %s, which is taken', (name) => {
    expect(faultsOf(provider({ name }))).toEqual([`providers.0.name: ${name} is taken`])
  })

  test.each<[string, unknown, string]>([
    ['a name with a dot', provider({ name: 'openapi.json' }), 'providers.0.name: must be lower case'],
    ['a member that is none', provider({ api_key: 'sk' }), 'providers.0: Unrecognized key: "api_key"'],
    ['no URL', provider({ base_url: 'nowhere' }), 'providers.0.base_url: must be an http'],
    [
      'credentials in a URL',
      provider({ base_url: 'https://u:p@x' }),
      'providers.0.base_url: must hold no credentials',
    ],
    [
      'a query in a URL',
      provider({ base_url: 'https://x/?a=1' }),
      'providers.0.base_url: must have no query',
    ],
    ['a bare fragment', provider({ base_url: 'https://x/#' }), 'providers.0.base_url: must have no query'],
    ['no path', provider({ open_ai_path: 'v1' }), 'providers.0.open_ai_path: must be a path such as /v1'],
    [
      'a path upward',
      provider({ open_ai_path: '/../x?' }),
      'providers.0.open_ai_path: must be a path such as /v1',
    ],
    [
      'a header of the connection',
      provider({ credential_header: 'host' }),
      'providers.0.credential_header: cannot hold a credential',
    ],
    [
      'a header in capitals',
      provider({ credential_header: 'API-Key' }),
      'providers.0.credential_header: must be the name',
    ],
    ['a provider twice', { providers: [vllm, vllm] }, 'providers.1.name: vllm is there twice'],
    [
      'a price of nobody',
      {
        prices: [{ provider: 'x', model: 'm', input_per_million: 1, output_per_million: 1, currency: 'USD' }],
      },
      'prices.0.provider: there is no provider x',
    ],
    [
      'a price finer than money is counted',
      {
        prices: [
          {
            ...{ provider: 'openai', model: 'm', output_per_million: 1, currency: 'USD' },
            input_per_million: 0.000_000_1,
          },
        ],
      },
      'prices.0.input_per_million: must have at most six decimals',
    ],
  ])('with %s stops the start, and says what is wrong', (_, content, message) => {
    expect(faultsOf(content)).toEqual([expect.stringContaining(message)])
  })
})
