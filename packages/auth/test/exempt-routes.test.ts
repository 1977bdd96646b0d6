import { ConfigError, route } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import { anyOf, exemptRoutes, open, service, serviceSecret, user } from '../src/index.ts'

const handle = () => undefined
const auth = service('work-platform')
const routes = [
  route('GET', '/api/baskets', { auth, summary: '', handle }),
  route('POST', '/api/baskets', { auth, summary: '', handle }),
  route('DELETE', '/api/baskets/:id', { auth, summary: '', handle }),
  route('GET', '/api/baskets-admin', { auth: user('auth.admin'), summary: '', handle }),
  route('GET', '/api/motd', { auth: open('it stands on the door'), summary: '', handle }),
  route('GET', '/api/both', { auth: anyOf<Principal>(user('stats.read'), auth), summary: '', handle }),
]

const bySecret: Principal = {
  ...{ kind: 'service', service: 'work-platform', permissions: [], actors: [], via: 'service-secret' },
}
const ann: Principal = {
  ...{
    kind: 'user',
    userId: 'ann',
    role: 'admin',
    permissions: ['*'],
    actors: ['work-platform'],
    via: 'jwt',
  },
}
const decide = (all: typeof routes, at: number, principal: Principal | undefined): string => {
  const decision = all[at]!.auth.decide(principal)
  return decision.allowed ? 'allowed' : decision.reason
}

describe('JWT_EXEMPT_PATHS', () => {
  const exempted = exemptRoutes(routes, ['/api/baskets', '/api/both'])

  test('switches every route of that path to credentials of services', () => {
    for (const at of [0, 1, 5]) {
      for (const via of ['service-secret', 'mtls', 'service-jwt'] as const)
        expect(decide(exempted, at, { ...bySecret, via })).toBe('allowed')
      expect(decide(exempted, at, { ...bySecret, service: 'docling' })).toBe('forbidden')
      expect(decide(exempted, at, undefined)).toBe('unauthenticated')
    }
  })

  test("never takes a user's token there, not even through that service", () => {
    for (const at of [0, 1, 5]) expect(decide(exempted, at, ann)).toBe('forbidden')
  })

  test('takes no token of that service in the hands of another', () => {
    const forwarded: Principal = { ...bySecret, via: 'service-jwt', actors: ['docling'] }
    for (const at of [0, 1, 5]) expect(decide(exempted, at, forwarded)).toBe('forbidden')
  })

  test('touches nothing beneath the path, nor what only begins alike', () => {
    for (const at of [2, 3, 4]) expect(exempted[at]).toBe(routes[at])
    expect(decide(exempted, 2, bySecret)).toBe('forbidden')
    expect(decide(exempted, 3, bySecret)).toBe('forbidden')
  })

  test.each([
    ['that no route has', '/api/nothing'],
    ['that is open to everybody', '/api/motd'],
    ['that only users may use', '/api/baskets-admin'],
    ['with a slash too many', '/api/baskets/'],
    ['in other letters', '/API/baskets'],
    ['that is a real one, where the route has a pattern', '/api/baskets/123'],
    ['that is a pattern of its own', '/api/*'],
    ['with something behind', '/api/baskets?x=/health'],
  ])('a path %s stops the start, and the variable and the path are named', (_name, path) => {
    const start = (): unknown => exemptRoutes(routes, ['/api/baskets', path])
    expect(start).toThrow(ConfigError)
    expect(start).toThrow(`JWT_EXEMPT_PATHS`)
    expect(start).toThrow(path)
  })

  test('that is empty changes nothing', () => {
    expect(exemptRoutes(routes, [])).toEqual(routes)
  })
})

test('a static secret is refused by every guard that does not name it', () => {
  for (const guard of [user(), service('work-platform'), anyOf<Principal>(user(), service('work-platform'))])
    expect(guard.decide(bySecret)).toMatchObject({ allowed: false, reason: 'forbidden' })
  const either = anyOf<Principal>(service('work-platform'), serviceSecret('work-platform'))
  expect(either.decide(bySecret)).toEqual({ allowed: true })
  expect(either.decide({ ...bySecret, via: 'mtls' })).toEqual({ allowed: true })
  expect(either.decide({ ...bySecret, service: 'docling' })).toMatchObject({ reason: 'forbidden' })
  expect(serviceSecret('work-platform').decide({ ...bySecret, via: 'mtls' })).toMatchObject({
    reason: 'forbidden',
  })
})
