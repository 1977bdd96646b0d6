import { ConfigError, loadConfig } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createCatalog } from '../src/providers/catalog.ts'
import { providersEnv } from '../src/providers/config.ts'

const catalogOf = (environment: Record<string, string>) => {
  const config = loadConfig(z.object(providersEnv), environment)
  return createCatalog(config)
}

describe('the catalog of providers', () => {
  test('has the five that are built in, of which none may have a private address', () => {
    const catalog = catalogOf({})
    expect(Object.fromEntries(catalog.all().map(({ name, baseUrl }) => [name, baseUrl]))).toEqual({
      openai: 'https://api.openai.com',
      anthropic: 'https://api.anthropic.com',
      gemini: 'https://generativelanguage.googleapis.com',
      mistral: 'https://api.mistral.ai',
      openrouter: 'https://openrouter.ai/api',
    })
    expect(catalog.all().filter(({ allowPrivate }) => allowPrivate)).toEqual([])
  })

  test('sends those of PROVIDER_URLS elsewhere, and vouches for their addresses', () => {
    const catalog = catalogOf({
      PROVIDER_URLS: 'openai=http://127.0.0.1:9/, gemini=https://mirror.example/a=b/',
    })
    expect(catalog.find('openai')).toMatchObject({ baseUrl: 'http://127.0.0.1:9', allowPrivate: true })
    expect(catalog.find('gemini')).toMatchObject({ baseUrl: 'https://mirror.example/a=b' })
    expect(catalog.find('anthropic')).toMatchObject({ allowPrivate: false })
    expect(catalog.find('hasOwnProperty')).toBeUndefined()
  })

  test.each([
    ['PROVIDER_URLS', 'openai', 'must be pairs such as'],
    ['PROVIDER_URLS', 'openai=ftp://x', 'must be pairs such as'],
    ['PROVIDER_URLS', 'openai=http://u:p@x', 'must be pairs such as'],
    ['PROVIDER_URLS', 'openai=http://x?y', 'must be pairs such as'],
    ['PROVIDER_URLS', 'open=http://x', 'there is no provider open; there are openai, anthropic'],
    ['PRIVATE_UPSTREAMS', 'http://10.0.0.5/path', 'must be origins such as'],
    ['PRIVATE_UPSTREAMS', '10.0.0.5:80', 'must be origins such as'],
  ])('does not start with %s=%s', (variable, value, message) => {
    expect(() => catalogOf({ [variable]: value })).toThrow(ConfigError)
    expect(() => catalogOf({ [variable]: value })).toThrow(message)
  })
})
