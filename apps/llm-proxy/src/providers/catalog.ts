import { ConfigError } from '@waybill/service-kit'
import { BUILT_IN } from './built-in.ts'
import type { ProvidersConfig } from './config.ts'
import { defineProvider } from './provider-declaration.ts'
import type { Catalog, ProviderDefinition } from './provider-definition.ts'
import { readProvidersFile } from './providers-file.ts'
import type { ProvidersFile } from './providers-file.ts'
import { wrongFile } from './wrong-file.ts'

/**
 * The providers that are built in and those of PROVIDERS_FILE, at the base URLs of PROVIDER_URLS.
 * @throws ConfigError naming every provider that is there twice, or that is given a price or a URL and is not there
 */
export function createCatalog(
  config: ProvidersConfig,
  file = readProvidersFile(config.PROVIDERS_FILE),
): Catalog {
  const { providers } = file
  const urls = new Map(config.PROVIDER_URLS.map(splitPair))
  const all = [...BUILT_IN, ...providers.map(defineProvider)].map((provider: ProviderDefinition) => {
    const baseUrl = urls.get(provider.name)
    // Who sets the environment vouches for the address.
    return baseUrl === undefined ? provider : { ...provider, baseUrl, allowPrivate: true }
  })
  const byName = new Map(all.map((provider) => [provider.name, provider]))
  const faults = faultsIn(file, byName)
  if (faults.length > 0) throw wrongFile(faults)

  const unknown = [...urls.keys()].filter((name) => !byName.has(name))
  if (unknown.length > 0) {
    throw new ConfigError(
      unknown.map((name) => ({
        variable: 'PROVIDER_URLS',
        message: `there is no provider ${name}; there are ${all.map((provider) => provider.name).join(', ')}`,
      })),
    )
  }
  return { all: () => all, find: (name) => byName.get(name) }
}

function faultsIn({ providers, prices }: ProvidersFile, known: ReadonlyMap<string, unknown>): string[][] {
  const twice = providers.flatMap(({ name }, index) =>
    providers.findIndex((other) => other.name === name) < index
      ? [['providers', String(index), 'name', `${name} is there twice`]]
      : [],
  )
  const priced = prices.flatMap(({ provider, model }, index) => {
    const at = ['prices', String(index)]
    const first = prices.findIndex((other) => other.provider === provider && other.model === model)
    if (first < index) return [[...at, 'model', `${model} of ${provider} is there twice`]]
    return known.has(provider) ? [] : [[...at, 'provider', `there is no provider ${provider}`]]
  })
  return [...twice, ...priced]
}

function splitPair(pair: string): [name: string, url: string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at).trim(), pair.slice(at + 1).replace(/\/+$/, '')]
}
