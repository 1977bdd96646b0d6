import { createHash } from 'node:crypto'
import type { ServiceName } from '@waybill/contracts'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { ask, newUser } from '../src/user.ts'
import type { Answer, Ask, User } from '../src/user.ts'

const { services, accounts } = inject('platform')
const AUTH = services['auth-service']
const NOTES = '/data/v1/postgres/collections/notes/records'

/** A route of every service that takes users' own tokens, called directly. What is answered beside 401 does not matter. */
const GUARDED: Partial<Record<ServiceName, Ask & { path: string }>> = {
  gateway: { path: '/data/v1/backends' },
  'auth-service': { path: '/auth/me' },
  'llm-proxy': { path: '/tokenize', method: 'POST' },
  data_store: { path: '/v1/backends' },
  docling: { path: '/v1/convert/source', method: 'POST' },
  'work-platform': { path: '/api/workspaces' },
}
const TAKING_USERS = Object.keys(GUARDED) as (keyof typeof GUARDED)[]

function askService(service: ServiceName, headers: Record<string, string>): Promise<Answer> {
  const { path, ...rest } = GUARDED[service]!
  return ask(services[service] + path, { ...rest, headers })
}

/** Asks until the credential is refused. That it is refused at all is the rule; how soon is measured by a benchmark. */
async function untilRefused(service: ServiceName, headers: Record<string, string>): Promise<void> {
  for (;;) {
    const { status } = await askService(service, headers)
    if (status === 401) return
  }
}

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })

describe('an API key', () => {
  let owner: User
  let key: string
  let keyId: string
  let asKey: Record<string, string>

  beforeAll(async () => {
    owner = await newUser(services.gateway)
    const made = await owner.ask('/auth/api-keys', {
      json: { name: 'reader', permissions: ['memory.read', 'agents.query'], expires_in_days: 1 },
    })
    expect(made.status, JSON.stringify(made.body)).toBe(201)
    key = String(made.body.api_key)
    keyId = String(made.body.key_id)
    asKey = { 'X-API-Key': key }
    await owner.ask(NOTES, { json: { id: 'of-the-owner', data: { text: 'seen by the key' } } })
  })

  it('reads what its owner may read, through the gateway and at the service itself', async () => {
    const through = await ask(`${services.gateway}${NOTES}/of-the-owner`, { headers: asKey })
    expect(through.status, JSON.stringify(through.body)).toBe(200)
    const direct = await ask(services.data_store + NOTES.replace('/data', '') + '/of-the-owner', {
      headers: asKey,
    })
    expect(direct.status, JSON.stringify(direct.body)).toBe(200)
    expect(direct.body.owner).toBe(owner.id)
  })

  it('carries its owner, and no more permissions than it was given, through every hop', async () => {
    const answer = await ask(`${services.gateway}/execute`, {
      headers: asKey,
      json: { operation: 'answer', input: { question: 'What is there?' } },
    })
    expect(answer.status, JSON.stringify(answer.body)).not.toBe(401)
    const write = await ask(services.gateway + NOTES, { headers: asKey, json: { data: { text: 'no' } } })
    expect(write).toMatchObject({ status: 403, body: { code: 'insufficient_permission' } })
  })

  it('cannot manage credentials', async () => {
    for (const json of [{ name: 'more', permissions: ['memory.read'] }]) {
      const made = await ask(`${services.gateway}/auth/api-keys`, { headers: asKey, json })
      expect(made.status).toBe(403)
      expect((await ask(`${AUTH}/auth/api-keys`, { headers: asKey, json })).status).toBe(403)
    }
    expect((await ask(`${AUTH}/auth/sessions`, { headers: asKey })).status).toBe(403)
  })

  it('beside a token is one credential too many, at every service', async () => {
    for (const service of TAKING_USERS) {
      const { status, body } = await askService(service, { ...asKey, ...bearer(owner.token) })
      expect([service, status, body.code]).toEqual([service, 400, 'ambiguous_credentials'])
    }
  })

  it('with one character changed is refused by its checksum, without anybody being asked', async () => {
    const changed = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
    for (const service of TAKING_USERS) {
      expect([service, (await askService(service, { 'X-API-Key': changed })).status]).toEqual([service, 401])
    }
  })

  it('that is withdrawn is refused by every service, and so are the tokens made from it', async () => {
    for (const service of TAKING_USERS) {
      expect([service, (await askService(service, asKey)).status]).not.toEqual([service, 401])
    }
    expect((await owner.ask(`/auth/api-keys/${keyId}`, { method: 'DELETE' })).status).toBe(204)
    await Promise.all(TAKING_USERS.map((service) => untilRefused(service, asKey)))
  })
})

describe('a session that ends', () => {
  it('is refused by every service, although its access token has hours to live', async () => {
    const leaving = await newUser(services.gateway)
    const headers = bearer(leaving.token)
    for (const service of TAKING_USERS) {
      expect([service, (await askService(service, headers)).status]).not.toEqual([service, 401])
    }
    expect((await leaving.ask('/auth/logout', { method: 'POST' })).status).toBe(204)
    await Promise.all(TAKING_USERS.map((service) => untilRefused(service, headers)))
  })
})

describe('an administrator', () => {
  it('who disables a user ends what that user holds, everywhere', async () => {
    const admin = accounts.find(({ role }) => role === 'admin')!
    const { username, password } = admin
    const { body } = await ask(`${AUTH}/auth/login`, { json: { username, password } })
    const disabled = await newUser(services.gateway)
    const headers = bearer(disabled.token)
    for (const service of TAKING_USERS) await askService(service, headers)
    const answer = await ask(`${services.gateway}/auth/admin/users/${disabled.id}`, {
      method: 'PATCH',
      headers: bearer(String(body.access_token)),
      json: { disabled: true },
    })
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
    await Promise.all(TAKING_USERS.map((service) => untilRefused(service, headers)))
  })

  it('is nobody else: a user who asks for that is refused and audited', async () => {
    const curious = await newUser(services.gateway)
    const { status, body } = await curious.ask('/auth/audit')
    expect([status, body.code]).toEqual([403, 'insufficient_permission'])
  })
})

describe('what is kept of a credential', () => {
  it('is shown to nobody: the list of keys holds neither a key nor its hash', async () => {
    const owner = await newUser(services.gateway)
    const { body } = await owner.ask('/auth/api-keys', { json: { name: 'k', permissions: ['tasks.read'] } })
    const key = String(body.api_key)
    const list = await owner.ask('/auth/api-keys')
    expect(list.status).toBe(200)
    const text = JSON.stringify(list.body)
    expect(text).not.toContain(key)
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      expect(text).not.toContain(createHash('sha256').update(key).digest(encoding))
    }
  })
})
