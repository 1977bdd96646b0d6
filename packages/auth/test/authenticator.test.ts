import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Authenticate, Principal, Problem } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthenticator, createCredentialVerifier } from '../src/index.ts'
import type { Verifier } from '../src/index.ts'
import { CLAIMS, forge, verifier } from './forge.ts'

// Real sockets, because what matters here is what node's parser makes of headers that come twice or oddly spelt.
let server: Server
let authenticate: Authenticate

beforeAll(async () => {
  server = createServer((req, res) => {
    Promise.resolve(req as Parameters<Authenticate>[0])
      .then(authenticate)
      .then(
        (caller) => res.end(JSON.stringify(caller?.principal ?? 'nobody')),
        (error: unknown) => {
          const { code, status } = error as Problem
          res.end(JSON.stringify({ code, status }))
        },
      )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => void server.close())

async function send(...headers: string[]): Promise<unknown> {
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.write(['GET / HTTP/1.1', 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'))
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return JSON.parse(/^[[{"].*$/m.exec(text)![0])
}

function authenticating(tokens: Verifier, edge = false): Authenticate {
  return createAuthenticator(createCredentialVerifier({ verifier: tokens, edge }))
}

const MISMATCH = { code: 'identity_header_mismatch', status: 401 }
const AMBIGUOUS = { code: 'ambiguous_credentials', status: 400 }
const INVALID = { code: 'invalid_token', status: 401 }

describe('a credential', () => {
  beforeAll(async () => {
    authenticate = authenticating(await verifier())
  })
  const bearer = `Authorization: Bearer ${forge()}`

  test('becomes the Principal that its claims stand for', async () => {
    const claims = {
      ...CLAIMS,
      act: { sub: 'llm-proxy', act: { sub: 'gateway' } },
      tenant_id: 't1',
      workspace_id: 'w1',
      email: 'ann@example.org',
      sid: 's1',
      role: 'viewer',
    }
    expect(await send(`Authorization: Bearer ${forge(claims)}`)).toEqual({
      kind: 'user',
      userId: 'u1',
      role: 'viewer',
      permissions: ['memory.read', 'tasks.read'],
      tenantId: 't1',
      workspaceId: 'w1',
      email: 'ann@example.org',
      sessionId: 's1',
      actors: ['llm-proxy', 'gateway'],
      via: 'jwt',
    } satisfies Principal)
    const service = { ...CLAIMS, sub: 'llm-proxy', principal: 'service', scope: '', role: undefined }
    expect(await send(`Authorization: Bearer ${forge(service)}`)).toEqual({
      kind: 'service',
      service: 'llm-proxy',
      permissions: [],
      actors: [],
      via: 'service-jwt',
    } satisfies Principal)
  })

  test('need not be there: the guard decides what that means', async () => {
    expect(await send()).toBe('nobody')
  })

  test.each([
    ['Authorization and X-API-Key', ['X-API-Key: wb_x']],
    ['Authorization and an empty X-API-Key', ['X-API-Key:']],
    ['two equal Authorizations', [bearer]],
    ['two Authorizations, the second bad', ['AUTHORIZATION: Bearer x']],
    ['two Authorizations, the second empty', ['authorization:']],
  ])('twice is 400, whichever is valid: %s', async (_name, more) => {
    expect(await send(bearer, ...more)).toEqual(AMBIGUOUS)
    expect(await send(...more, bearer)).toEqual(AMBIGUOUS)
  })

  test.each([
    ['an API key, where none is taken', 'X-API-Key: wb_x'],
    ['Basic', 'Authorization: Basic dTpw'],
    ['no scheme', `Authorization: ${forge()}`],
    ['an empty header', 'Authorization:'],
    ['an empty token', 'Authorization: Bearer '],
    ['two tokens', `Authorization: Bearer ${forge()} ${forge()}`],
    ['two tokens with a comma', `Authorization: Bearer ${forge()},${forge()}`],
    ['two schemes', `Authorization: Bearer Bearer ${forge()}`],
    ['a bad token', 'Authorization: Bearer eyJ.eyJ.x'],
  ])('that is %s is 401 and never falls back to another', async (_name, header) => {
    expect(await send(header)).toEqual(INVALID)
  })

  test('is read whatever the case of Bearer (RFC 9110 section 11.1)', async () => {
    expect(await send(`Authorization: bEARER  ${forge()}`)).toMatchObject({ userId: 'u1' })
  })
})

describe('inside the platform an identity header', () => {
  const claims = { ...CLAIMS, tenant_id: 't1', act: { sub: 'gateway' } }
  const bearer = `Authorization: Bearer ${forge(claims)}`

  beforeAll(async () => {
    authenticate = authenticating(await verifier())
  })

  test('may say what the credential says, or not be there', async () => {
    const agreeing = ['X-User-ID: u1', 'X-Tenant-ID: t1', 'X-Service-Name: gateway']
    expect(await send(bearer, ...agreeing)).toMatchObject({ userId: 'u1' })
    expect(await send(bearer, 'X_USER_ID: u1')).toMatchObject({ userId: 'u1' })
    expect(await send(bearer)).toMatchObject({ userId: 'u1' })
  })

  test.each([
    ['another user', ['X-User-ID: admin']],
    ['no user', ['X-User-ID:']],
    ['another case', ['X-User-ID: U1']],
    ['another tenant', ['X-Tenant-ID: t2']],
    ['another service', ['X-Service-Name: llm-proxy']],
    ['the user twice', ['X-User-ID: u1', 'X-User-ID: u1']],
    ['the user and another', ['X-User-ID: u1', 'X-User-ID: admin']],
    ['another user with underscores', ['X_User_ID: admin']],
    ['another user with one underscore', ['X_User-ID: admin']],
    ['the user, and another with underscores', ['X-User-ID: u1', 'X_User_ID: admin']],
  ])('that says %s is 401', async (_name, headers) => {
    expect(await send(bearer, ...headers)).toEqual(MISMATCH)
  })

  test('that is empty agrees with a credential that has nothing to say', async () => {
    const direct = `Authorization: Bearer ${forge()}`
    expect(await send(direct, 'X-User-ID: u1', 'X-Tenant-ID:', 'X-Service-Name:')).toMatchObject({
      userId: 'u1',
    })
    expect(await send(direct, 'X-Tenant-ID: t1')).toEqual(MISMATCH)
    const service = `Authorization: Bearer ${forge({ ...CLAIMS, sub: 'llm-proxy', principal: 'service' })}`
    expect(await send(service, 'X-User-ID:', 'X-Tenant-ID:', 'X-Service-Name: llm-proxy')).toMatchObject({
      kind: 'service',
    })
    expect(await send(service, 'X-User-ID: u1')).toEqual(MISMATCH)
  })
})

test('at the edge identity headers come from strangers and decide nothing', async () => {
  authenticate = authenticating(await verifier(), true)
  const bearer = `Authorization: Bearer ${forge()}`
  expect(await send(bearer, 'X-User-ID: admin', 'X_Tenant_ID: t9')).toMatchObject({ userId: 'u1' })
  expect(await send('X-User-ID: admin')).toBe('nobody')
})
