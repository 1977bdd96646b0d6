import { beforeEach } from 'vitest'
import type { Client, Setting } from '../setting.ts'
import { records } from '../setting.ts'

export interface Item {
  id: string
  owner: string
  version: number
  data: Record<string, unknown>
  created_at: string
  updated_at: string
}
export interface Page {
  items: Item[]
  next_cursor: string | null
  count: number | null
}

/** One backend, and two users who have nothing in it yet: new ones for each test. */
export interface Stage {
  backend: string
  readonly setting: Setting
  readonly alice: Client
  readonly bob: Client
  /** The user id of alice. */
  readonly aliceId: string
  readonly bobId: string
  /** Another user, of the test's own. */
  as(name: string, claims?: Record<string, unknown>): Promise<Client>
  /** Of the records in `notes`, or of one. */
  path: (id?: string) => string
  /** The same in another collection. */
  at: (collection: string, id?: string) => string
  /** What is asked of `notes` beside its records: `query`, `search`, `bulk-patch`, `bulk-delete`. */
  action: (name: string, collection?: string) => string
  create(data?: object, id?: string, client?: Client): Promise<Item>
  stored(id?: string, client?: Client): Promise<Item>
  /** The ids of all records that a user has in `notes`, in their order. */
  kept(client?: Client): Promise<string[]>
  query(body: object, client?: Client): Promise<Page>
}

let count = 0

/** To be called where tests are described: it brings new users on before each of them. */
export function stageOn(backend: string, setting: () => Setting): Stage {
  const path = (id?: string) => records(backend, 'notes', id)
  const action = (name: string, collection = 'notes') => `/v1/${backend}/collections/${collection}/${name}`
  const people = {} as { alice: Client; bob: Client; aliceId: string; bobId: string; nth: number }
  const as = (name: string, claims: Record<string, unknown> = {}) =>
    setting().as(`${name}-${backend}-${String(people.nth)}`, claims)
  beforeEach(async () => {
    people.nth = count += 1
    people.aliceId = `alice-${backend}-${String(people.nth)}`
    people.bobId = `bob-${backend}-${String(people.nth)}`
    people.alice = await as('alice')
    people.bob = await as('bob')
  })
  return {
    backend,
    as,
    path,
    action,
    get setting() {
      return setting()
    },
    get alice() {
      return people.alice
    },
    get bob() {
      return people.bob
    },
    get aliceId() {
      return people.aliceId
    },
    get bobId() {
      return people.bobId
    },
    at: (collection, id) => records(backend, collection, id),
    async create(data = {}, id = 'a', client = people.alice) {
      return (await client('post', path(), { id, data }).expect(201)).body as Item
    },
    async stored(id = 'a', client = people.alice) {
      return (await client('get', path(id)).expect(200)).body as Item
    },
    async kept(client = people.alice) {
      const { body } = await client('get', `${path()}?limit=200`).expect(200)
      return (body as Page).items.map(({ id }) => id)
    },
    async query(body, client = people.alice) {
      return (await client('post', action('query'), body).expect(200)).body as Page
    },
  }
}
