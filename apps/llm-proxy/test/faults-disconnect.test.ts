import { request } from 'node:http'
import type { Fault } from '@waybill/dev-env'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { askOn, MODEL_ROUTES, MORE_MODEL_ROUTES, PROMPT } from './model-routes.ts'
import { KEY, startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// A client that goes away has its request to the vendor ended at once: BerriAI/litellm#13774, #22805, #31499, #36123, #37140.

let vendors: Vendors
let token = ''
/** Of bob, who has a key for one provider alone. */
let tokenOfBob = ''
beforeAll(async () => {
  vendors = await startVendors()
  token = await vendors.proxy.tokenOf('alice')
  await vendors.addKey('bob', 'openai', KEY)
  tokenOfBob = await vendors.proxy.tokenOf('bob')
  // That there is something to answer from.
  const document = { name: 'morning.txt', text: PROMPT }
  const { status } = await vendors.proxy.post('/execute', { operation: 'index', input: { document } })
  expect(status).toBe(200)
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
})

/** In milliseconds; far more than it takes, far less than any time-out. */
const AT_ONCE = 1_000

/** How far an answer comes, by the name of a model, and where none is named. */
const STAGES: { stage: string; model: string; fault: Fault }[] = [
  { stage: 'before the head', model: 'no-first-byte', fault: { kind: 'no-first-byte' } },
  { stage: 'before the first byte of the body', model: 'stall-0', fault: { kind: 'stall', after: 0 } },
  { stage: 'in the midst of the body', model: 'chunks-20+stall-6', fault: { kind: 'stall', after: 6 } },
]
/** How often alice left. */
let left = 0

/** Asks, leaves when the vendor is as far as it will come, and sees that the vendor is left too. */
async function leave(ask: (signal: AbortSignal) => Promise<Response>): Promise<void> {
  const { upstream } = vendors
  const before = upstream.aborts
  const giveUp = new AbortController()
  const outcome = ask(giveUp.signal)
    .then((answer) => answer.text())
    .catch((error: unknown) => error instanceof Error && error.name)
  await upstream.until(() => upstream.seen[0]?.isHeld === true)
  giveUp.abort()
  expect(await outcome).toBe('AbortError')
  await upstream.until(() => upstream.aborts === before + 1 && upstream.openRequests === 0, AT_ONCE)
  expect(upstream.seen).toHaveLength(1)
}

const ROUTES = [...MODEL_ROUTES, ...MORE_MODEL_ROUTES].map((route) => ({ ...route, route }))

describe.each(ROUTES)('$name', ({ route }) => {
  const kinds = route.canStream ? [false, true] : [false]
  const cases = STAGES.flatMap(({ stage, model }) =>
    kinds.map((isStream) => ({ stage, model, isStream, kind: isStream ? 'streamed' : 'whole' })),
  )

  test.each(cases)('$kind, $stage', async ({ model, isStream }) => {
    left += 1
    await leave((signal) => askOn(vendors.proxy, route, { token, model }, { isStream, signal }))
  })
})

describe.each(STAGES)('what is asked for by GET, $stage', ({ fault }) => {
  const get = (path: string, credential: string) =>
    leave((signal) => {
      vendors.upstream.fail(fault, { on: /^GET/ })
      const headers = { Authorization: `Bearer ${credential}` }
      return fetch(vendors.proxy.url + path, { headers, signal })
    })

  test('of a vendor', async () => {
    left += 1
    await get('/openai/v1/models', token)
  })

  test.each(['/v1/models', '/v1/models/openai/mock-model'])('here: %s', (path) => get(path, tokenOfBob))
})

describe('an upload that is left midway', () => {
  test.each([
    ['of a length that was told', { 'Content-Length': '1000000' }],
    ['of any length', { 'Transfer-Encoding': 'chunked' }],
  ])('%s', async (_, headers) => {
    const { upstream, proxy } = vendors
    const before = upstream.aborts
    const asked = request(`${proxy.url}/openai/v1/audio/transcriptions`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'audio/wav', Authorization: `Bearer ${token}` },
    })
    asked.on('error', () => undefined)
    asked.write(Buffer.alloc(100_000))
    left += 1
    await upstream.until(() => upstream.seen.length === 1)
    asked.destroy()
    await upstream.until(() => upstream.aborts === before + 1 && upstream.openRequests === 0, AT_ONCE)
    expect(upstream.seen).toHaveLength(1)
  })
})

test('each of them is written down as aborted', async () => {
  const report = async () => {
    const answer = await fetch(`${vendors.proxy.url}/usage`, {
      headers: { Authorization: `Bearer ${token}` },
    })
    return ((await answer.json()) as { total: { requests: number; aborted: number } }).total
  }
  // And beside them what alice has put into her memory.
  expect(await report()).toMatchObject({ requests: left + 1, aborted: left })
})
