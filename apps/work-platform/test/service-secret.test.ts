import { randomUUID } from 'node:crypto'
import { substrateApi } from '@waybill/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import { makeWorld, startSetting, SUBSTRATE_SECRET } from './setting.ts'
import type { Setting, World } from './setting.ts'

let setting: Setting
let world: World

beforeAll(async () => {
  setting = await startSetting({
    SUBSTRATE_AUTH: 'service-secret',
    SUBSTRATE_SERVICE_SECRET: SUBSTRATE_SECRET,
  })
})
afterAll(() => setting.close())
beforeEach(async () => {
  setting.substrate.reset()
  setting.tokens.requests = []
  world = await makeWorld(setting)
})

const lastCall = () => setting.substrate.calls.at(-1)!

describe('with a service secret', () => {
  test('a project is created as ever, with workspace and user told in the message', async () => {
    const user = randomUUID()
    const answer = await setting.as(user).post('/api/projects', { name: 'By secret' })
    expect(answer.status).toBe(201)
    const { headers, body } = lastCall()
    expect(headers).toMatchObject({
      authorization: `Bearer ${SUBSTRATE_SECRET}`,
      'x-service-name': 'work-platform',
      'x-user-id': '',
    })
    expect(body).toMatchObject({ workspace_id: answer.body.workspace_id, user_id: user, name: 'By secret' })
  })

  test('no user credential leaves this service, and no token is asked for', async () => {
    const member = setting.as(world.users.member)
    expect((await member.get(`/api/projects/${world.projectId}`)).status).toBe(200)
    expect(setting.tokens.requests).toEqual([])
    expect(JSON.stringify(lastCall().headers)).not.toContain('eyJ')
  })

  test('reading, listing and deleting tell it in the query', async () => {
    const member = setting.as(world.users.member)
    const told = { workspace_id: world.workspaceId, user_id: world.users.member }
    expect((await member.get(`/api/projects/${world.projectId}`)).body.basket).not.toBeNull()
    expect(lastCall()).toMatchObject({ endpoint: substrateApi.getBasket, query: told })
    expect((await member.get(`/api/projects?workspace_id=${world.workspaceId}`)).body.items).toHaveLength(1)
    expect(lastCall()).toMatchObject({ endpoint: substrateApi.listBaskets, query: told })
    expect((await member.delete(`/api/projects/${world.projectId}`)).status).toBe(204)
    expect(lastCall()).toMatchObject({ endpoint: substrateApi.deleteBasket, query: told })
  })

  test('who is no member of the workspace never gets as far as substrate-api', async () => {
    expect((await setting.as(world.users.outsider).get(`/api/projects/${world.projectId}`)).status).toBe(404)
    expect(setting.substrate.calls).toEqual([])
  })

  test('a basket of another workspace is shown to nobody: 403', async () => {
    for (const basket of setting.substrate.baskets.get(world.workspaceId)!.values()) {
      basket.workspace_id = randomUUID()
    }
    const member = setting.as(world.users.member)
    const one = await member.get(`/api/projects/${world.projectId}`)
    expect({ status: one.status, code: one.body.code }).toEqual({ status: 403, code: 'forbidden' })
    expect(JSON.stringify(one.body)).not.toContain('Ours')
    expect((await member.get(`/api/projects?workspace_id=${world.workspaceId}`)).status).toBe(403)
  })

  test("a secret that substrate-api does not know is our failure and not the client's, and is told to nobody", async () => {
    setting.substrate.behave({ kind: 'refuse', status: 401 })
    const answer = await setting.as(world.users.member).get(`/api/projects/${world.projectId}`)
    expect({ status: answer.status, code: answer.body.code }).toEqual({
      status: 502,
      code: 'upstream_failed',
    })
    expect(JSON.stringify(answer.body)).not.toContain('canary')
  })
})

test('SUBSTRATE_AUTH=service-secret without a secret stops the start, by name', () => {
  const config = { ...setting.config, SUBSTRATE_SERVICE_SECRET: undefined }
  expect(() => createApp(config)).toThrow('SUBSTRATE_SERVICE_SECRET')
})

test.each<[string, NodeJS.ProcessEnv]>([
  [
    'with SUBSTRATE_AUTH=exchange, whatever secret lies about',
    { SUBSTRATE_AUTH: 'exchange', SUBSTRATE_SERVICE_SECRET: SUBSTRATE_SECRET },
  ],
  ['where no secret is set', {}],
])('tokens are used %s', async (_, environment) => {
  const other = await startSetting(environment)
  const answer = await other.as(randomUUID()).post('/api/projects', { name: 'By token' })
  expect(answer.status).toBe(201)
  const call = other.substrate.calls.at(-1)!
  expect(call.headers.authorization).toMatch(/^Bearer eyJ/)
  expect(call.body).not.toHaveProperty('workspace_id')
  await other.close()
})

test('the settings of seed 001 alone, a secret on both sides, work as they are', async () => {
  const other = await startSetting({ SUBSTRATE_SERVICE_SECRET: SUBSTRATE_SECRET })
  const answer = await other.as(randomUUID()).post('/api/projects', { name: 'By secret' })
  expect(answer.status).toBe(201)
  expect(other.substrate.calls.at(-1)!.headers).toMatchObject({ 'x-service-name': 'work-platform' })
  await other.close()
})
