import { beforeAll, expect, inject, it } from 'vitest'
import { ask, newUser } from '../src/user.ts'
import type { Answer, Ask } from '../src/user.ts'

const { services, accounts } = inject('platform')
const RECORDS = '/data/v1/postgres/collections/team-notes/records'
const PASSWORD = 'the tide table of last year'

/** Asks through the gateway in somebody's name. */
type AskAs = (path: string, options?: Ask) => Promise<Answer>

/** Somebody who has logged in. */
async function logIn(username: string, password: string): Promise<AskAs> {
  const { status, body } = await ask(`${services.gateway}/auth/login`, { json: { username, password } })
  expect(status).toBe(200)
  const headers = { Authorization: `Bearer ${String(body.access_token)}` }
  return (path, options = {}) =>
    ask(services.gateway + path, { ...options, headers: { ...headers, ...options.headers } })
}

let admin: AskAs
beforeAll(async () => {
  const { username, password } = accounts.find(({ role }) => role === 'admin')!
  admin = await logIn(username, password)
})

/** A new user whom the administrator has put into `tenant`, and who has logged in since. */
async function memberOf(tenant: string): Promise<AskAs> {
  const user = await newUser(services.gateway, PASSWORD)
  const path = `/auth/admin/users/${user.id}`
  const { status, body } = await admin(path, { method: 'PATCH', json: { tenant_id: tenant } })
  expect([status, body.tenant_id]).toEqual([200, tenant])
  return logIn(String(body.username), PASSWORD)
}

it('two users of one tenant share its records; one of another tenant and one of none see nothing of them', async () => {
  const [ours, theirs] = ['ours', 'theirs'].map((name) => `${name}-${crypto.randomUUID()}`) as [
    string,
    string,
  ]
  const [alice, bob, carol] = [await memberOf(ours), await memberOf(ours), await memberOf(theirs)]
  const nobodys = await newUser(services.gateway)
  const dave: AskAs = (path, options) => nobodys.ask(path, options)

  const made = await alice(RECORDS, { json: { id: 'plan', data: { text: 'to the lighthouse' } } })
  expect([made.status, made.body.owner]).toEqual([201, ours])
  const change = { method: 'PATCH', json: { data: { done: true } } }
  expect((await bob(`${RECORDS}/plan`, change)).body).toMatchObject({ version: 2, owner: ours })
  expect((await alice(`${RECORDS}/plan`)).body.data).toEqual({ text: 'to the lighthouse', done: true })

  const claimed = { headers: { 'X-Tenant-ID': ours } }
  for (const stranger of [carol, dave]) {
    expect((await stranger(`${RECORDS}/plan`)).status).toBe(404)
    expect((await stranger(`${RECORDS}/plan`, claimed)).status).toBe(404)
    expect((await stranger(RECORDS)).body.items).toEqual([])
  }
  expect((await carol(`${RECORDS}/plan`, change)).status).toBe(404)
  const refused = await dave(RECORDS, { json: { id: 'plan', data: {} } })
  expect([refused.status, JSON.stringify(refused.body)]).toEqual([403, expect.stringContaining('tenant')])
  const own = await carol(RECORDS, { json: { id: 'plan', data: { text: 'elsewhere' } } })
  expect([own.status, own.body.owner]).toEqual([201, theirs])
  expect((await bob(`${RECORDS}/plan`)).body).toMatchObject({
    version: 2,
    data: { text: 'to the lighthouse' },
  })
})

it('the API key of a member sees what its tenant has', async () => {
  const tenant = `keys-${crypto.randomUUID()}`
  const alice = await memberOf(tenant)
  expect((await alice(RECORDS, { json: { id: 'plan', data: {} } })).status).toBe(201)
  const wanted = { name: 'a key', permissions: ['memory.read'] }
  const { body: key } = await (await memberOf(tenant))('/auth/api-keys', { json: wanted })
  const headers = { 'X-API-Key': String(key.api_key) }
  const found = await ask(`${services.gateway}${RECORDS}/plan`, { headers })
  expect([found.status, found.body.owner]).toEqual([200, tenant])
})
