import { fileURLToPath } from 'node:url'
import { Client, credentials, Metadata, status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { ServiceDefinition } from '@grpc/proto-loader'
import { substrateGrpc } from '@waybill/contracts'
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest'
import { newUser } from '../src/user.ts'
import type { User } from '../src/user.ts'

const { services, grpc, traces } = inject('platform')
const loaded = loadSync(fileURLToPath(substrateGrpc.PROTO), substrateGrpc.LOADING)
const definition = loaded[substrateGrpc.BASKET_SERVICE] as ServiceDefinition // a service, as its name says
const client = new Client(grpc, credentials.createInsecure())
afterAll(() => client.close())

interface Basket {
  id: string
  name: string
}

function call(name: string, message: object, headers: Record<string, string>) {
  const { path, requestSerialize, responseDeserialize } = definition[name]!
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value)
  return new Promise<{ code: status; items: Basket[] }>((resolve) => {
    const answered = (error: ServiceError | null, value?: object): void => {
      resolve({
        code: error?.code ?? status.OK,
        items: (value as { items?: Basket[] } | undefined)?.items ?? [],
      })
    }
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, metadata, answered)
  })
}

async function keyOf(user: User): Promise<{ id: string; header: { 'x-api-key': string } }> {
  const { body } = await user.ask('/auth/api-keys', {
    json: { name: 'reader', permissions: ['memory.read'] },
  })
  return { id: String(body.key_id), header: { 'x-api-key': String(body.api_key) } }
}

let owner: User
beforeAll(async () => {
  owner = await newUser(services.gateway)
  const project = await owner.ask('/work/api/projects', { json: { name: 'Over gRPC' } })
  expect(project.status).toBe(201)
})

it('an API key of the platform reads over gRPC the basket of the project that its owner made, and nobody else does', async () => {
  const listed = await call('ListBaskets', {}, (await keyOf(owner)).header)
  expect(listed.items.map(({ name }) => name)).toEqual(['Over gRPC'])
  const stranger = (await keyOf(await newUser(services.gateway))).header
  expect(await call('ListBaskets', {}, stranger)).toEqual({ code: status.OK, items: [] })
  const [basket] = listed.items
  expect((await call('GetBasket', { id: basket?.id }, stranger)).code).toBe(status.NOT_FOUND)
  expect((await call('DeleteBasket', { id: basket?.id }, (await keyOf(owner)).header)).code).toBe(
    status.PERMISSION_DENIED,
  )
})

it("a user's own token is for the platform and not for substrate-api", async () => {
  const answer = await call('ListBaskets', {}, { authorization: `Bearer ${owner.token}` })
  expect(answer.code).toBe(status.UNAUTHENTICATED)
})

it('a key that is revoked is refused', async () => {
  const { id, header } = await keyOf(owner)
  expect((await call('ListBaskets', {}, header)).code).toBe(status.OK)
  await owner.ask(`/auth/api-keys/${id}`, { method: 'DELETE' })
  await vi.waitFor(
    async () => expect((await call('ListBaskets', {}, header)).code).toBe(status.UNAUTHENTICATED),
    {
      timeout: 10_000,
    },
  )
})

it('a call is a hop of its request, and what it asks of auth-service the next one', async () => {
  const requestId = `e2e-grpc-${owner.id.slice(0, 8)}`
  await call('ListBaskets', {}, { ...(await keyOf(owner)).header, 'x-request-id': requestId })
  await vi.waitFor(
    async () => {
      const answer = await fetch(`${traces}/api/traces?request_id=${requestId}`)
      const found = (await answer.json()) as { traces: { hops: object[] }[] }
      expect(found.traces.flatMap(({ hops }) => hops)).toMatchObject([
        { service: 'substrate-api', method: 'gRPC', route: substrateGrpc.listBaskets.path, requestId },
        { service: 'auth-service', method: 'POST', requestId },
      ])
    },
    { timeout: 20_000, interval: 100 },
  )
})
