import { llmProxy } from '@waybill/contracts'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { repositoryRoot } from '../folders.ts'

const FILE = 'providers.json'

/** The providers that are built in; see PROVIDER_URLS of llm-proxy. */
const VENDORS = ['openai', 'anthropic', 'gemini', 'mistral', 'openrouter'] as const

/**
 * Which providers llm-proxy is told of, for its PROVIDERS_FILE: the user's own file, if one is named (a relative path is of the root
 * of the repository), else the mock upstream at `url` as `mock` and `mock-anthropic`, written to `folder`. Its prices are made up.
 */
export function providersFileFor(env: NodeJS.ProcessEnv, folder: string, url: string): string {
  const { PROVIDERS_FILE: named } = env
  if (named !== undefined && named.trim() !== '') return resolve(repositoryRoot, named)
  const file = join(folder, FILE)
  mkdirSync(folder, { recursive: true })
  // The services of `npm run dev` all come here at the same time: none of them may read half a file.
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(providersAt(url), undefined, 2)}\n`)
  renameSync(draft, file)
  return file
}

function providersAt(url: string): object {
  const provider = (name: string, protocol: string) => ({ name, protocol, base_url: url, private: true })
  const price = (name: string) => ({
    ...{ provider: name, model: '*', input_per_million: 1, output_per_million: 4, currency: 'USD' },
  })
  return {
    providers: [provider('mock', 'openai'), provider('mock-anthropic', 'anthropic')],
    prices: [price('mock'), price('mock-anthropic')],
  }
}

/** PROVIDER_URLS of llm-proxy that send every vendor's requests to the mock upstream at `url`. */
export function vendorsAt(url: string): string {
  return VENDORS.map((name) => `${name}=${url}`).join(',')
}

/** Whether the vendors are to be the mock upstream: WAYBILL_VENDORS=mock. Throws on anything else that it is set to. */
export function wantsVendorsAtMock({ WAYBILL_VENDORS: wanted = '' }: NodeJS.ProcessEnv): boolean {
  if (wanted === '' || wanted === 'mock') return wanted === 'mock'
  throw new Error(`WAYBILL_VENDORS must be mock or not set, not ${JSON.stringify(wanted)}.`)
}

/**
 * LLM_PROVIDERS of the gateway: a path there for each provider of the file that can have one. What is wrong in the file is for
 * llm-proxy to tell, by its place there.
 */
export function pathsFor(file: string): string {
  return providersOf(file)
    .filter(mayHavePath)
    .map(({ name, protocol }) => `${name}=${protocol}`)
    .join(',')
}

function mayHavePath(declared: unknown): declared is { name: string; protocol: llmProxy.VendorProtocol } {
  const { name, protocol } = (declared ?? {}) as { name?: unknown; protocol?: unknown } // any JSON, judged here
  return (
    typeof name === 'string' &&
    /^[a-z][a-z0-9_-]{0,39}$/.test(name) &&
    !llmProxy.TAKEN_NAMES.has(name) &&
    typeof protocol === 'string' &&
    Object.hasOwn(llmProxy.ERROR_SHAPES, protocol)
  )
}

function providersOf(file: string): unknown[] {
  try {
    const { providers } = JSON.parse(readFileSync(file, 'utf8')) as { providers?: unknown }
    return Array.isArray(providers) ? providers : []
  } catch {
    return []
  }
}
