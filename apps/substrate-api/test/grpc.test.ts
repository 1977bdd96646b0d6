import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { status } from '@grpc/grpc-js'
import { substrateGrpc } from '@waybill/contracts'
import { createLogger } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { basketService } from '../src/grpc/definition.ts'
import { basketClient } from './grpc-client.ts'
import type { BasketClient, Method } from './grpc-client.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const OURS = 'workspace-ours'
const THEIRS = 'workspace-theirs'
const SECRET = 'a-secret-of-work-platform-for-this-test'

let setting: Setting
let client: BasketClient
let ours: Record<string, string>

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

beforeAll(async () => {
  setting = await startSetting({ SUBSTRATE_SERVICE_SECRET: SECRET, METADATA_MAX_BYTES: '1024' })
  client = basketClient(setting.service.grpc.address()!)
  ours = bearer(await setting.onBehalfOf('alice', OURS))
})
afterAll(async () => {
  client.close()
  await setting.close()
})

const made = async (name = 'Basket', by = ours) =>
  (await client.call('CreateBasket', { name }, by)).value.basket!

describe('baskets over gRPC', () => {
  test('are what they are over REST', async () => {
    const id = randomUUID()
    const metadata = { project: 'p1', deep: [{ a: 1.5 }, null, true, []], empty: {} }
    const body = await setting.send(ours.authorization!.slice(7), 'POST', '/api/baskets', {
      id,
      name: 'Both',
      metadata,
    })
    const { value, code } = await client.call('GetBasket', { id }, ours)
    expect(code).toBe(status.OK)
    const { metadata: asStruct, ...rest } = value
    expect({ ...rest, metadata }).toEqual(body.body)
    expect(asStruct!.fields.project!.stringValue).toBe('p1')
    expect(asStruct!.fields.deep!.listValue!.values[0]!.structValue!.fields.a!.numberValue).toBe(1.5)
  })

  test('keep their metadata through a Struct and back', async () => {
    const struct = {
      fields: {
        n: { numberValue: 2 },
        none: { nullValue: 0 },
        list: { listValue: { values: [{ boolValue: false }] } },
      },
    }
    const { value } = await client.call('CreateBasket', { name: 'Struct', metadata: struct }, ours)
    const rest = await setting.send(ours.authorization!.slice(7), 'GET', `/api/baskets/${value.basket!.id}`)
    expect(rest.body.metadata).toEqual({ n: 2, none: null, list: [false] })
  })

  test('asked for twice with the same id are made once, and another one under it is ALREADY_EXISTS', async () => {
    const wanted = { id: randomUUID(), name: 'Once' }
    const answers = [
      await client.call('CreateBasket', wanted, ours),
      await client.call('CreateBasket', wanted, ours),
    ]
    expect(answers.map(({ value }) => value.created)).toEqual([true, false])
    const other = await client.call('CreateBasket', { ...wanted, name: 'Other' }, ours)
    expect(other).toMatchObject({ code: status.ALREADY_EXISTS, trailers: { code: 'conflict' } })
  })

  test('are listed page by page, and by ids', async () => {
    const by = bearer(await setting.onBehalfOf('alice', randomUUID()))
    const ids = [await made('1', by), await made('2', by), await made('3', by)].map(({ id }) => id)
    const first = (await client.call('ListBaskets', { limit: 2 }, by)).value
    const second = (await client.call('ListBaskets', { limit: 2, cursor: first.next_cursor }, by)).value
    expect([...first.items!, ...second.items!].map(({ name }) => name)).toEqual(['3', '2', '1'])
    expect(second.next_cursor).toBeUndefined()
    const some = (await client.call('ListBaskets', { ids: [ids[0], randomUUID()] }, by)).value
    expect(some.items!.map(({ id }) => id)).toEqual([ids[0]])
  })

  test('are gone when they are deleted', async () => {
    const { id } = await made()
    expect((await client.call('DeleteBasket', { id }, ours)).code).toBe(status.OK)
    expect((await client.call('GetBasket', { id }, ours)).code).toBe(status.NOT_FOUND)
    expect((await client.call('DeleteBasket', { id }, ours)).code).toBe(status.NOT_FOUND)
  })

  test('leave their row in the audit with the request id of the call', async () => {
    const { id } = await made()
    await client.call('GetBasket', { id }, { ...ours, 'x-request-id': 'rpc-1' })
    expect(
      await setting.admin(
        `select actor, on_behalf_of, action, resource, via from audit where request_id = 'rpc-1'`,
      ),
    ).toEqual([
      {
        actor: 'service:work-platform',
        on_behalf_of: 'user:alice',
        action: 'basket.read',
        resource: `workspaces/${OURS}/baskets/${id}`,
        via: 'jwt',
      },
    ])
  })

  test.each([
    ['GetBasket', { id: 'no-uuid' }],
    ['GetBasket', {}],
    ['DeleteBasket', { id: "' or 1=1 --" }],
    ['CreateBasket', { name: '' }],
    ['CreateBasket', { name: 'a\0' }],
    ['CreateBasket', { name: 'x', id: '7' }],
    ['CreateBasket', { name: 'x', metadata: { fields: { a: { numberValue: Number.NaN } } } }],
    ['ListBaskets', { limit: 0 }],
    ['ListBaskets', { limit: 101 }],
    ['ListBaskets', { cursor: 'x' }],
    ['ListBaskets', { ids: ['x'] }],
    ['ListBaskets', { ids: Array.from({ length: 101 }, () => randomUUID()) }],
  ] as [Method, object][])('%s %j is INVALID_ARGUMENT', async (method, message) => {
    const answer = await client.call(method, message, ours)
    expect(answer).toMatchObject({ code: status.INVALID_ARGUMENT, trailers: { code: 'validation_failed' } })
  })

  test('with too much metadata are RESOURCE_EXHAUSTED, with too deep metadata INVALID_ARGUMENT', async () => {
    const large = { fields: { a: { stringValue: 'x'.repeat(2000) } } }
    expect((await client.call('CreateBasket', { name: 'x', metadata: large }, ours)).code).toBe(
      status.RESOURCE_EXHAUSTED,
    )
    const deep = (levels: number): object =>
      levels === 0 ? { fields: {} } : { fields: { a: { structValue: deep(levels - 1) } } }
    const create = (levels: number) =>
      client.call('CreateBasket', { name: 'x', metadata: deep(levels) }, ours)
    expect((await create(15)).code).toBe(status.OK)
    expect((await create(16)).code).toBe(status.INVALID_ARGUMENT)
    // Too deep to be decoded at all.
    expect((await create(1000)).code).toBe(status.INTERNAL)
  })
})

describe('who may', () => {
  const ALL: Record<Method, (id: string) => object> = {
    CreateBasket: () => ({ name: 'New' }),
    GetBasket: (id) => ({ id }),
    ListBaskets: (id) => ({ ids: [id] }),
    DeleteBasket: (id) => ({ id }),
  }
  const own = { audience: 'substrate-api' }
  const everywhere = (code: status) => () => code
  const CALLERS: Record<
    string,
    { metadata: () => Promise<Record<string, string>>; code: (method: Method) => status }
  > = {
    nobody: { metadata: () => Promise.resolve({}), code: everywhere(status.UNAUTHENTICATED) },
    'an expired token': {
      metadata: async () =>
        bearer(await setting.onBehalfOf('alice', OURS, { issuedAt: Math.floor(Date.now() / 1000) - 3600 })),
      code: everywhere(status.UNAUTHENTICATED),
    },
    "a person's own login token": {
      metadata: async () => bearer(await setting.issuer.userToken('alice', { workspaceId: OURS })),
      code: everywhere(status.UNAUTHENTICATED),
    },
    'a person with nothing in between': {
      metadata: async () => bearer(await setting.issuer.userToken('alice', { ...own, workspaceId: OURS })),
      code: everywhere(status.PERMISSION_DENIED),
    },
    'another service': {
      metadata: async () =>
        bearer(await setting.issuer.serviceToken('gateway', { ...own, workspaceId: OURS })),
      code: everywhere(status.PERMISSION_DENIED),
    },
    'work-platform without a workspace': {
      metadata: async () => bearer(await setting.issuer.serviceToken('work-platform', own)),
      code: everywhere(status.PERMISSION_DENIED),
    },
    "work-platform's static secret, which no method takes": {
      metadata: () => Promise.resolve({ ...bearer(SECRET), 'x-service-name': 'work-platform' }),
      code: everywhere(status.PERMISSION_DENIED),
    },
    'work-platform for a user of another workspace': {
      metadata: async () => bearer(await setting.onBehalfOf('mallory', THEIRS)),
      code: (method) => (method === 'GetBasket' || method === 'DeleteBasket' ? status.NOT_FOUND : status.OK),
    },
    'work-platform for a user of the workspace': {
      metadata: async () => bearer(await setting.onBehalfOf('alice', OURS)),
      code: everywhere(status.OK),
    },
    'a user with an API key': {
      metadata: () => Promise.resolve({ 'x-api-key': setting.issuer.apiKey('alice') }),
      code: (method) =>
        method === 'GetBasket' || method === 'ListBaskets' ? status.OK : status.PERMISSION_DENIED,
    },
    'an API key without memory.read': {
      metadata: () =>
        Promise.resolve({ 'x-api-key': setting.issuer.apiKey('alice', { scope: 'tasks.read' }) }),
      code: everywhere(status.PERMISSION_DENIED),
    },
    'an API key that nobody has': {
      metadata: () => Promise.resolve({ 'x-api-key': 'wb_0000000000000000000000000000000000A' }),
      code: everywhere(status.UNAUTHENTICATED),
    },
  }
  describe.each(Object.entries(CALLERS))('%s', (_, { metadata, code }) => {
    test.each(Object.keys(ALL) as Method[])('%s', async (method) => {
      const { id } = await made()
      const answer = await client.call(method, ALL[method](id), await metadata())
      expect(status[answer.code]).toBe(status[code(method)])
    })
  })

  test('every method of the .proto file is in the matrix', () => {
    expect(Object.keys(basketService()).sort()).toEqual(Object.keys(ALL).sort())
    expect(basketService().GetBasket!.path).toBe(`/${substrateGrpc.getBasket.path}`)
  })
})

describe('an API key', () => {
  const keyOf = (userId: string) => ({ 'x-api-key': setting.issuer.apiKey(userId) })

  test('reads what its owner made in any workspace, and nothing else', async () => {
    const maker = `maker-${randomUUID()}`
    const here = await made('here', bearer(await setting.onBehalfOf(maker, OURS)))
    const there = await made('there', bearer(await setting.onBehalfOf(maker, THEIRS)))
    const others = await made('of others')
    const listed = (await client.call('ListBaskets', {}, keyOf(maker))).value
    expect(listed.items!.map(({ name }) => name)).toEqual(['there', 'here'])
    for (const { id } of [here, there])
      expect((await client.call('GetBasket', { id }, keyOf(maker))).code).toBe(status.OK)
    expect((await client.call('GetBasket', { id: others.id }, keyOf(maker))).code).toBe(status.NOT_FOUND)
    const byIds = (await client.call('ListBaskets', { ids: [here.id, others.id] }, keyOf(maker))).value
    expect(byIds.items!.map(({ id }) => id)).toEqual([here.id])
  })

  test('that was revoked is refused', async () => {
    const key = setting.issuer.apiKey('bob', { keyId: 'to-be-revoked' })
    setting.issuer.revoke({ kind: 'api_key', id: 'to-be-revoked' })
    expect((await client.call('ListBaskets', {}, { 'x-api-key': key })).code).toBe(status.UNAUTHENTICATED)
  })

  test('that came through work-platform reaches the workspace of the token, and no further', async () => {
    const maker = `maker-${randomUUID()}`
    await made('elsewhere', bearer(await setting.onBehalfOf(maker, THEIRS)))
    const through = bearer(await setting.onBehalfOf(maker, OURS, { apiKeyId: 'k1' }))
    const mine = await made('mine', through)
    const ids = (await client.call('ListBaskets', { ids: [mine.id] }, through)).value.items
    expect(ids).toHaveLength(1)
    const names = (await client.call('ListBaskets', { limit: 100 }, through)).value.items!
    expect(names.map(({ name }) => name)).not.toContain('elsewhere')
  })

  test('is audited as its owner, at the place that it looked at', async () => {
    await client.call('ListBaskets', {}, { ...keyOf('carol'), 'x-request-id': 'key-1' })
    expect(
      await setting.admin(`select actor, on_behalf_of, via, resource from audit where request_id = 'key-1'`),
    ).toEqual([
      { actor: 'user:carol', on_behalf_of: null, via: 'api-key', resource: 'makers/user:carol/baskets' },
    ])
  })

  test('opens nothing over REST', async () => {
    const answer = await setting
      .send(undefined, 'GET', '/api/baskets')
      .set('X-API-Key', setting.issuer.apiKey('alice'))
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 403, code: 'forbidden' })
  })
})

test.each([
  ['user_id', { user_id: 'mallory' }],
  ['workspace_id', { workspace_id: THEIRS }],
])('a message may not claim another %s than the token', async (_, claimed) => {
  const answer = await client.call('CreateBasket', { name: 'Claimed', ...claimed }, ours)
  expect(answer.code).toBe(status.PERMISSION_DENIED)
})

test('a port that is taken stops the start, and the message names the variable', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  await expect(startSetting({ GRPC_PORT: String(port) })).rejects.toThrow('GRPC_PORT')
  other.close()
})

test('gRPC is told of in the log, and ends with the service', async () => {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const other = await startSetting({}, { logger: createLogger({ service: 'substrate-api', destination }) })
  const address = other.service.grpc.address()!
  expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual(
    expect.objectContaining({ grpc: address, msg: 'listening for gRPC' }),
  )
  const token = bearer(await other.onBehalfOf('alice', OURS))
  const held = basketClient(address)
  expect((await held.call('ListBaskets', {}, token)).code).toBe(status.OK)
  await other.close()
  expect((await held.call('ListBaskets', {}, token)).code).toBe(status.UNAVAILABLE)
  held.close()
})
