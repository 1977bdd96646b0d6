import { setTimeout as delay } from 'node:timers/promises'
import { startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import type { ServiceName } from '@waybill/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newUser } from '../src/user.ts'
import type { Answer, Ask, User } from '../src/user.ts'

let platform: Platform
let user: User
/** How many projects the platform has said it made. */
let created = 0

beforeAll(async () => {
  platform = await startPlatform({ env: { ...process.env, LOG_LEVEL: 'warn' } })
  user = await newUser(platform.services.gateway)
})
afterAll(() => platform.close())

const project: Ask = { json: { name: 'made while a neighbour is away' } }
const question: Ask = { json: { operation: 'answer', input: { question: 'Is anybody there?' } } }

/** One service is killed; one call that needs it. */
const DRILLS: { victim: ServiceName; path: string; call: Ask; well: number }[] = [
  { victim: 'auth-service', path: '/auth/me', call: {}, well: 200 },
  { victim: 'llm-proxy', path: '/v1/models', call: {}, well: 200 },
  { victim: 'docling', path: '/docling/version', call: {}, well: 200 },
  { victim: 'data_store', path: '/execute', call: question, well: 200 },
  { victim: 'work-platform', path: '/work/api/projects', call: {}, well: 200 },
  { victim: 'substrate-api', path: '/work/api/projects', call: project, well: 201 },
]

describe.each(DRILLS)('with $victim killed', ({ victim, path, call, well }) => {
  it('calls that need it are 503 with Retry-After, then well again, and the rest keeps running', async () => {
    expect((await attempt(path, call)).status).toBe(well)
    const before = platform.pids()

    platform.kill(victim)
    const away = await firstUnless(well, path, call)
    expect([away.status, away.headers.get('retry-after') !== null], JSON.stringify(away.body)).toEqual([
      503,
      true,
    ])
    expect(away.headers.get('x-request-id')).toBeTruthy()

    await expect
      .poll(async () => (await attempt(path, call)).status, { timeout: 40_000, interval: 200 })
      .toBe(well)
    const after = platform.pids()
    for (const [service, pid] of Object.entries(after)) {
      if (service === victim) expect(pid).not.toBe(before[victim])
      else expect([service, pid]).toEqual([service, before[service as ServiceName]])
    }
  })
})

/** Asks, and counts the projects that it is told have been made. */
async function attempt(path: string, call: Ask): Promise<Answer> {
  const answer = await user.ask(path, call)
  if (call === project && answer.status === 201) created += 1
  return answer
}

/** The first answer that is not `well`: the signal may take a moment to arrive. */
async function firstUnless(well: number, path: string, call: Ask) {
  for (;;) {
    const answer = await attempt(path, call)
    if (answer.status !== well) return answer
    await delay(5)
  }
}

it('a project that was refused while substrate-api was away is not half there', async () => {
  const { body } = await user.ask('/work/api/projects')
  const items = body.items as { basket: { id: string } | null }[]
  expect(items.filter(({ basket }) => basket === null)).toEqual([])
  expect(items).toHaveLength(created)
})
