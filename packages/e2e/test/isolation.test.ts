import { beforeAll, describe, expect, inject, it } from 'vitest'
import { ask, newUser } from '../src/user.ts'
import type { User } from '../src/user.ts'

const { services } = inject('platform')
const SECRET = 'the harbour master keeps the key under the third stone'

let owner: User
let stranger: User

beforeAll(async () => {
  owner = await newUser(services.gateway)
  stranger = await newUser(services.gateway)
})

/** What a user can own, how it is made, and where it is then found. */
const THINGS = [
  {
    thing: 'a record in Postgres',
    at: '/data/v1/postgres/collections/notes/records',
    make: { id: 'shared-name', data: { text: SECRET } },
    deletable: true,
  },
  {
    thing: 'a record in LanceDB',
    at: '/data/v1/lancedb/collections/vectors/records',
    make: { id: 'shared-name', data: { text: SECRET, vector: [0.1, 0.2, 0.3] } },
    deletable: true,
  },
  { thing: 'a workspace', at: '/work/api/workspaces', make: { name: SECRET }, deletable: false },
  { thing: 'a project', at: '/work/api/projects', make: { name: SECRET }, deletable: true },
]

describe.each(THINGS)('$thing of one user', ({ at, make, deletable }) => {
  let id: string

  beforeAll(async () => {
    const made = await owner.ask(at, { json: make })
    expect(made.status, JSON.stringify(made.body)).toBe(201)
    id = String(made.body.id)
    expect((await owner.ask(`${at}/${id}`)).status).toBe(200)
  })

  it('is 404 to another user who knows its id', async () => {
    expect((await stranger.ask(`${at}/${id}`)).status).toBe(404)
  })

  it('is in no list that another user sees', async () => {
    const list = await stranger.ask(at)
    expect(list.status).toBe(200)
    expect(JSON.stringify(list.body)).not.toContain(SECRET)
  })

  it('stays hidden whatever the other user claims in headers', async () => {
    for (const header of ['X-User-ID', 'x_user_id', 'X-Tenant-ID', 'X-Service-Name']) {
      const answer = await stranger.ask(`${at}/${id}`, { headers: { [header]: owner.id } })
      expect([header, answer.status]).toEqual([header, 404])
    }
  })

  if (!deletable) return

  it('cannot be deleted by another user, and is still there afterwards', async () => {
    expect((await stranger.ask(`${at}/${id}`, { method: 'DELETE' })).status).toBe(404)
    expect((await owner.ask(`${at}/${id}`)).status).toBe(200)
  })
})

describe('around the gateway', () => {
  it('an identity header that contradicts the credential is refused by every service that reads credentials', async () => {
    const paths = {
      'auth-service': '/auth/me',
      'llm-proxy': '/v1/models',
      data_store: '/v1/backends',
      'work-platform': '/api/projects',
    } as const
    for (const [service, path] of Object.entries(paths) as [keyof typeof paths, string][]) {
      const headers = { Authorization: `Bearer ${stranger.token}`, 'X-User-ID': owner.id }
      const answer = await ask(services[service] + path, { headers })
      expect([service, answer.status]).toEqual([service, 401])
      expect(JSON.stringify(answer.body)).toContain('X-User-ID')
    }
  })

  it('substrate-api takes no token of a user, and the gateway has no way to it', async () => {
    const headers = { Authorization: `Bearer ${owner.token}` }
    expect((await ask(`${services['substrate-api']}/api/baskets`, { headers })).status).toBe(401)
    expect((await owner.ask('/api/baskets')).status).toBe(404)
    expect((await owner.ask('/substrate/api/baskets')).status).toBe(404)
  })

  it('the same record id belongs to each user separately', async () => {
    const at = '/data/v1/postgres/collections/notes/records'
    const mine = await stranger.ask(at, { json: { id: 'shared-name', data: { text: 'my own' } } })
    expect(mine.status).toBe(201)
    expect((await owner.ask(`${at}/shared-name`)).body.data).toEqual({ text: SECRET })
  })
})
