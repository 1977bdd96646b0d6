import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { askOn, MODEL_ROUTES } from './model-routes.ts'
import { startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// A client that goes away has its request to the vendor ended at once: BerriAI/litellm#13774, #22805, #31499, #36123, #37140.

let vendors: Vendors
let token = ''
beforeAll(async () => {
  vendors = await startVendors()
  token = await vendors.proxy.tokenOf('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
})

/** In milliseconds; far more than it takes, far less than any time-out. */
const AT_ONCE = 1_000

const STAGES = {
  'before the head': 'no-first-byte',
  'before the first byte of the body': 'stall-0',
  'in the midst of the body': 'chunks-20+stall-6',
}
let left = 0

describe.each(MODEL_ROUTES.map((route) => ({ ...route, route })))('$name', ({ route }) => {
  const kinds = route.canStream ? [false, true] : [false]
  const cases = Object.entries(STAGES).flatMap(([stage, model]) =>
    kinds.map((isStream) => ({ stage, model, isStream, kind: isStream ? 'streamed' : 'whole' })),
  )

  test.each(cases)('$kind, $stage', async ({ model, isStream }) => {
    const { upstream, proxy } = vendors
    const before = upstream.aborts
    const giveUp = new AbortController()
    const asked = askOn(proxy, route, { token, model }, { isStream, signal: giveUp.signal })
    const outcome = asked
      .then((answer) => answer.text())
      .catch((error: unknown) => error instanceof Error && error.name)
    await upstream.until(() => upstream.seen[0]?.isHeld === true)
    giveUp.abort()
    left += 1
    expect(await outcome).toBe('AbortError')
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
  expect(await report()).toMatchObject({ requests: left, aborted: left })
})
