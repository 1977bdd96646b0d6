import { describe, expect, test } from 'vitest'
import { delegate, DELEGATION, GrantError } from '../src/index.ts'
import type { AccessTokenClaims } from '../src/index.ts'
import { CLAIMS, ISSUER, NOW } from './forge.ts'

const RULES = {
  policy: DELEGATION,
  issuer: 'https://new-issuer.test',
  platformAudience: 'waybill',
  lifetimeSeconds: 120,
  maxDepth: 5,
  nowSeconds: NOW,
}
const ann = {
  ...CLAIMS,
  aud: 'waybill',
  scope: 'memory.read memory.write tasks.read agents.query',
  sid: 's1',
  tenant_id: 't1',
} as AccessTokenClaims
const base = { subject: ann, actor: 'gateway', audience: 'docling' }

function refusal(
  request: Partial<Parameters<typeof delegate>[0]>,
  rules: Partial<typeof RULES> = {},
): string {
  try {
    delegate({ ...base, ...request }, { ...RULES, ...rules })
  } catch (error) {
    if (error instanceof GrantError) return error.code
    throw error
  }
  return 'granted'
}

describe('a token on behalf of somebody', () => {
  test('keeps the subject and who they are, for one audience, with one more actor', () => {
    const { claims, lifetimeSeconds } = delegate(base, RULES)
    expect(claims).toEqual({
      iss: 'https://new-issuer.test',
      aud: 'docling',
      sub: 'u1',
      client_id: 'gateway',
      principal: 'user',
      role: 'user',
      sid: 's1',
      tenant_id: 't1',
      scope: ann.scope,
      origin_jti: ann.jti,
      act: { sub: 'gateway' },
    })
    expect(lifetimeSeconds).toBe(120)
  })

  test('nests the actors, the current one outside (RFC 8693 section 4.1), and remembers the token that it began with', () => {
    const subject = { ...ann, aud: 'docling', act: { sub: 'gateway' }, origin_jti: 'the first' }
    const { claims } = delegate({ subject, actor: 'docling', audience: 'llm-proxy' }, RULES)
    expect(claims.origin_jti).toBe('the first')
    expect(claims.act).toEqual({ sub: 'docling', act: { sub: 'gateway' } })
  })

  test('shrinks on its way: only what the acting service may hand on', () => {
    const atDocling = { ...ann, aud: 'docling', act: { sub: 'gateway' } }
    const first = delegate({ subject: atDocling, actor: 'docling', audience: 'llm-proxy' }, RULES)
    expect(first.claims.scope.split(' ').sort()).toEqual(['agents.query', 'memory.read', 'memory.write'])
    const atProxy = { ...atDocling, ...first.claims, aud: 'llm-proxy' }
    const second = delegate({ subject: atProxy, actor: 'llm-proxy', audience: 'data_store' }, RULES)
    expect(second.claims.scope.split(' ').sort()).toEqual(['memory.read', 'memory.write'])
  })

  test("never holds more than the subject has: an empty scope stays empty, '*' becomes what may be handed on", () => {
    const atProxy = { ...ann, aud: 'llm-proxy' }
    const through = (scope: string): string =>
      delegate({ subject: { ...atProxy, scope }, actor: 'llm-proxy', audience: 'data_store' }, RULES).claims
        .scope
    expect(through('')).toBe('')
    expect(through('tasks.read')).toBe('')
    expect(through('*').split(' ').sort()).toEqual(['memory.read', 'memory.write'])
  })

  test('can be asked for with less', () => {
    expect(delegate({ ...base, scope: ['memory.read'] }, RULES).claims.scope).toBe('memory.read')
    expect(delegate({ ...base, scope: [] }, RULES).claims.scope).toBe('')
  })

  test("never lives longer than the subject's own token", () => {
    const subject = { ...ann, exp: NOW + 40 }
    expect(delegate({ ...base, subject }, RULES).lifetimeSeconds).toBe(40)
    expect(refusal({ subject: { ...ann, exp: NOW } })).toBe('invalid_grant')
    expect(refusal({ subject: { ...ann, exp: NOW - 10 } })).toBe('invalid_grant')
  })

  test('carries the workspace on, and a new one only from the service that knows the memberships', () => {
    const subject = { ...ann, aud: 'work-platform', workspace_id: 'w1' }
    const request = { subject, actor: 'work-platform', audience: 'substrate-api' }
    expect(delegate(request, RULES).claims.workspace_id).toBe('w1')
    expect(delegate({ ...request, workspaceId: 'w2' }, RULES).claims.workspace_id).toBe('w2')
    expect(delegate({ ...base, subject: { ...ann, workspace_id: 'w1' } }, RULES).claims.workspace_id).toBe(
      'w1',
    )
  })
})

describe('is refused', () => {
  test.each<[string, string, Parameters<typeof refusal>]>([
    ['to a service that is not in the policy', 'invalid_target', [{ actor: 'substrate-api' }]],
    ['to a service nobody knows', 'invalid_target', [{ actor: 'stranger' }]],
    ['to a name that every object has', 'invalid_target', [{ actor: 'constructor' }]],
    ['for an audience that is not an edge', 'invalid_target', [{ audience: 'substrate-api' }]],
    ['for an audience that every object has', 'invalid_target', [{ audience: 'toString' }]],
    ['for itself', 'invalid_target', [{ audience: 'gateway' }]],
    ["over another's token", 'invalid_grant', [{ subject: { ...ann, aud: 'docling' } }]],
    [
      'over a token for several others',
      'invalid_grant',
      [{ subject: { ...ann, aud: ['docling', 'llm-proxy'] } }],
    ],
    [
      'over a chain that is too long',
      'invalid_grant',
      [{ subject: { ...ann, act: { sub: 'c', act: { sub: 'b', act: { sub: 'a' } } } } }, { maxDepth: 3 }],
    ],
    ['with a workspace that it cannot know', 'invalid_request', [{ workspaceId: 'w1' }]],
    ['with more than the subject has', 'invalid_scope', [{ scope: ['memory.read', 'stats.read'] }]],
    [
      'with more than may be handed on',
      'invalid_scope',
      [
        {
          subject: { ...ann, aud: 'llm-proxy' },
          actor: 'llm-proxy',
          audience: 'data_store',
          scope: ['agents.query'],
        },
      ],
    ],
  ])('%s: %s', (_name, code, [request, rules]) => {
    expect(refusal(request, rules)).toBe(code)
  })

  test('at exactly the depth that is allowed, it is not', () => {
    const subject = { ...ann, act: { sub: 'b', act: { sub: 'a' } } }
    expect(refusal({ subject }, { maxDepth: 3 })).toBe('granted')
  })
})

test('the issuer of a delegated token is the one that signs it, not the one before', () => {
  expect(delegate(base, RULES).claims.iss).not.toBe(ISSUER)
})

describe('for somebody outside the platform', () => {
  const subject = {
    ...ann,
    aud: 'data_store',
    email: 'ann@x.test',
    key_id: 'k1',
    tier: 'premium',
    workspace_id: 'w1',
  }
  const outside = { subject, actor: 'data_store', audience: 'supabase' }

  test('a token has the role that is known there, and of the user no more than whom it is for', () => {
    expect(delegate(outside, RULES).claims).toEqual({
      ...{ iss: RULES.issuer, aud: 'supabase', sub: 'u1', client_id: 'data_store', principal: 'user' },
      ...{ role: 'authenticated', tenant_id: 't1', workspace_id: 'w1', scope: 'memory.read memory.write' },
      ...{ origin_jti: ann.jti, act: { sub: 'data_store' } },
    })
  })

  test('llm-proxy gets one without any permission: whose the keys are is all that counts there', () => {
    const { claims } = delegate(
      { ...outside, subject: { ...subject, aud: 'llm-proxy' }, actor: 'llm-proxy' },
      RULES,
    )
    expect(claims).toMatchObject({ sub: 'u1', client_id: 'llm-proxy', role: 'authenticated', scope: '' })
    const more = {
      ...outside,
      subject: { ...subject, aud: 'llm-proxy' },
      actor: 'llm-proxy',
      scope: ['memory.read'],
    }
    expect(refusal(more)).toBe('invalid_scope')
  })

  test('`aud` is what is asked for there', () => {
    const rules = { ...RULES, outsideAudiences: { supabase: 'authenticated' } }
    expect(delegate(outside, rules).claims.aud).toBe('authenticated')
    expect(refusal({ ...outside, audience: 'authenticated' }, rules)).toBe('invalid_target')
  })

  test('only who is named may ask, with a token that it was sent', () => {
    expect(refusal({ ...outside, subject: ann, actor: 'gateway' })).toBe('invalid_target')
    expect(refusal({ ...outside, subject: { ...ann, aud: 'docling' } })).toBe('invalid_grant')
    expect(refusal({ ...outside, subject: { ...ann, aud: 'supabase' } })).toBe('invalid_grant')
  })
})
