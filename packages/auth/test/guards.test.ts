import type { Principal, ServicePrincipal, UserPrincipal } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import { anyOf, open, service, signedIn, user } from '../src/index.ts'

const ann: UserPrincipal = {
  kind: 'user',
  userId: 'ann',
  role: 'user',
  permissions: ['memory.read'],
  actors: [],
  via: 'jwt',
}
const annByProxy: UserPrincipal = { ...ann, actors: ['llm-proxy', 'gateway'] }
const proxy: ServicePrincipal = {
  kind: 'service',
  service: 'llm-proxy',
  permissions: ['*'],
  actors: [],
  via: 'service-jwt',
}
const read = user('memory.read')
const write = user('memory.write')
const byProxy = service('llm-proxy')
const signedRead = signedIn('memory.read')
const root: UserPrincipal = { ...ann, sessionId: 's1', permissions: ['*'] }

describe('a guard', () => {
  test.each<[string, { decide: typeof read.decide }, Principal | undefined, string]>([
    ['user() and a user', user(), ann, 'allowed'],
    ['user() and a user through services', user(), annByProxy, 'allowed'],
    ['user() and a service, whatever it may do', user(), proxy, 'forbidden'],
    ['user() and nobody', user(), undefined, 'unauthenticated'],
    ['user(memory.read) and one who has it', read, ann, 'allowed'],
    ['user(memory.write) and one who has it not', write, ann, 'forbidden'],
    ['user(memory.write) and an admin', write, { ...ann, permissions: ['*'] }, 'allowed'],
    ['service(llm-proxy) and that service itself', byProxy, proxy, 'allowed'],
    ['service(llm-proxy) and a user through it', byProxy, annByProxy, 'allowed'],
    ['service(llm-proxy) and a user directly', byProxy, ann, 'forbidden'],
    ['service(gateway) and a user who came through it earlier', service('gateway'), annByProxy, 'forbidden'],
    ['service(docling) and another service', service('docling'), proxy, 'forbidden'],
    ['service(llm-proxy) and a user of that name', byProxy, { ...ann, userId: 'llm-proxy' }, 'forbidden'],
    ['service() and nobody', byProxy, undefined, 'unauthenticated'],
    ['signedIn() and a user with a session', signedIn(), { ...ann, sessionId: 's1' }, 'allowed'],
    ['signedIn() and one through services', signedIn(), { ...annByProxy, sessionId: 's1' }, 'allowed'],
    [
      'signedIn() and one with an API key',
      signedIn(),
      { ...ann, apiKeyId: 'k1', via: 'api-key' },
      'forbidden',
    ],
    [
      'signedIn() and a key with a session',
      signedIn(),
      { ...ann, sessionId: 's1', via: 'api-key' },
      'forbidden',
    ],
    ['signedIn() and a user without a session', signedIn(), ann, 'forbidden'],
    ['signedIn() and a service', signedIn(), proxy, 'forbidden'],
    ['signedIn(memory.read) and one who has it', signedRead, { ...ann, sessionId: 's1' }, 'allowed'],
    ['signedIn(memory.read) and who has it not', signedRead, { ...root, permissions: [] }, 'forbidden'],
    ['signedIn(memory.read) and an admin', signedRead, root, 'allowed'],
    ['signedIn(memory.read) and it without a session', signedRead, ann, 'forbidden'],
    [
      'signedIn(memory.read) and an admin’s API key',
      signedRead,
      { ...root, apiKeyId: 'k1', via: 'api-key' },
      'forbidden',
    ],
    ['signedIn(memory.read) and a service', signedRead, proxy, 'forbidden'],
    ['signedIn(memory.read) and nobody', signedRead, undefined, 'unauthenticated'],
    ['signedIn() and nobody', signedIn(), undefined, 'unauthenticated'],
    ['open() and nobody', open('a test'), undefined, 'allowed'],
    ['anyOf and who passes the first', anyOf<Principal>(read, service('docling')), ann, 'allowed'],
    ['anyOf and who passes the last', anyOf<Principal>(write, byProxy), proxy, 'allowed'],
    ['anyOf and who passes none', anyOf<Principal>(write, service('docling')), ann, 'forbidden'],
    ['anyOf and nobody', anyOf<Principal>(write, byProxy), undefined, 'unauthenticated'],
  ])('%s: %s', (_name, guard, principal, expected) => {
    const decision = guard.decide(principal)
    expect(decision.allowed ? 'allowed' : decision.reason).toBe(expected)
  })

  test('names the permission that is missing', () => {
    for (const guard of [write, signedIn('memory.write')])
      expect(guard.decide(ann)).toMatchObject({ permission: 'memory.write' })
  })

  test('names no permission to an API key that has it, but not the way', () => {
    expect(signedRead.decide({ ...root, via: 'api-key' })).not.toHaveProperty('permission')
  })

  test('says for the documentation whom it lets in', () => {
    const either = anyOf<Principal>(read, byProxy)
    expect(either).toMatchObject({
      description: 'a user with memory.read, or the service llm-proxy',
      open: false,
      kinds: ['user', 'service'],
      permissions: ['memory.read'],
      services: ['llm-proxy'],
    })
    expect(signedRead).toMatchObject({
      description: 'a user with memory.read who has logged in',
      permissions: ['memory.read'],
      apiKeys: false,
    })
    expect(anyOf(signedRead, signedIn())).toMatchObject({ apiKeys: false })
    expect(anyOf(signedRead, read)).toMatchObject({ apiKeys: true })
    expect(open('it is a shop window')).toMatchObject({
      description: 'anybody: it is a shop window',
      open: true,
    })
  })
})
