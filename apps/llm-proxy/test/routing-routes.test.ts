import type { ConfigError } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import { next, provider, routingOf } from './routing-setting.ts'

const to = (name: string) => [{ provider: 'openrouter', model: name }]

describe('routes', () => {
  test('are tried in their order; the first that matches counts', async () => {
    const { attempts } = routingOf([
      { match: { provider: 'openai', model: 'gpt-5' }, targets: to('exact') },
      { match: { model: 'gpt-*', operation: 'embeddings' }, targets: to('embeddings') },
      { match: { model: 'gpt-*' }, targets: to('beginning') },
      { match: { provider: 'openai' }, targets: to('provider') },
    ])
    const seen = (more: Parameters<typeof attempts>[0]) => next(attempts(more))
    expect(await seen({ model: 'gpt-5' })).toBe('openrouter exact')
    expect(await seen({ model: 'gpt-5', provider: provider('mistral') })).toBe('openrouter beginning')
    expect(await seen({ model: 'gpt-4', operation: 'embeddings' })).toBe('openrouter embeddings')
    expect(await seen({ model: 'gpt-55' })).toBe('openrouter beginning')
    expect(await seen({ model: 'o1' })).toBe('openrouter provider')
    expect(await seen({ model: undefined })).toBe('openrouter provider')
    expect(await seen({ model: 'o1', provider: provider('mistral') })).toBe('mistral')
  })

  test('are of those requests only that their places understand', async () => {
    const { attempts } = routingOf([
      { match: {}, fallbacks: [{ provider: 'mistral' }], retries: { attempts: 0 } },
    ])
    const one = attempts({ provider: provider('anthropic') })
    expect(await next(one)).toBe('anthropic')
    expect(one.failed({ kind: 'refused' })).toBe(false)
  })

  test('with a name stand for a model on /v1 and /llm, and may cross protocols there', async () => {
    const { routing, attempts } = routingOf([
      {
        name: 'fast',
        targets: [{ provider: 'anthropic', model: 'claude' }],
        fallbacks: [{ provider: 'gemini', model: 'flash' }],
      },
    ])
    const alias = routing.alias('fast')!
    expect(alias).toEqual({ alias: 'fast', provider: provider('anthropic'), model: 'claude' })
    expect(routing.alias('slow')).toBeUndefined()
    expect(routing.aliases()).toEqual(['fast'])
    const one = attempts(alias)
    expect(await next(one)).toBe('anthropic claude')
    expect(one.failed({ kind: 'answered', status: 529 })).toBe(true)
    expect(await next(one)).toBe('gemini flash')
    // Nothing else goes by it.
    expect(await next(attempts({ model: 'fast' }))).toBe('openai')
  })

  test('that cannot be gone stop the start, all of them named', () => {
    const faultsOf = () => {
      try {
        routingOf([
          { match: { provider: 'nobody' } },
          { match: {}, targets: [{ provider: 'openai' }], fallbacks: [{ provider: 'nowhere' }] },
          { match: { provider: 'openai' }, fallbacks: [{ provider: 'mistral' }, { provider: 'anthropic' }] },
          { match: {}, targets: [{ provider: 'gemini' }, { provider: 'openai' }] },
          { name: 'fast', targets: to('x') },
          { name: 'fast', targets: to('x') },
          { name: 'openai', targets: to('x') },
        ])
        return []
      } catch (error) {
        return (error as ConfigError).problems.map(({ message }) => message)
      }
    }
    const there = 'there are openai, anthropic, gemini, mistral, openrouter'
    expect(faultsOf()).toEqual([
      `routes.0.match.provider: there is no provider nobody; ${there}`,
      `routes.1.fallbacks.0.provider: there is no provider nowhere; ${there}`,
      expect.stringMatching(
        /^routes\.2\.fallbacks\.1\.provider: anthropic speaks anthropic and would not understand what is meant for openai/,
      ),
      expect.stringContaining('routes.3.targets.1.provider: openai speaks openai'),
      'routes.5.name: fast is there twice',
      'routes.6.name: openai is a provider',
    ])
  })

  test.each<[string, object, string]>([
    ['neither name nor match', { targets: to('x') }, 'needs a name, a match or both'],
    ['a name and no target', { name: 'x' }, 'a route with a name needs one at least'],
    ['a name and no model', { name: 'x', targets: [{ provider: 'openai' }] }, 'is needed in a route with'],
    ['a slash in the name', { name: 'openai/x', targets: to('x') }, 'have no slash'],
    ['a star in the middle', { match: { model: 'a*b' } }, 'must be a model, or the beginning of one'],
    ['a status that is no failure', { match: {}, retries: { attempts: 1, on: [200] } }, 'must be 408, 409'],
    ['no weight', { match: {}, targets: [{ provider: 'openai', weight: 0 }] }, 'Too small'],
  ])('with %s are refused', (_, route, message) => {
    expect(() => routingOf([route])).toThrow(message)
  })
})
