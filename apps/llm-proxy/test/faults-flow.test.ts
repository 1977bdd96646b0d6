import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { turns } from './fixtures/turns.ts'
import { askOn, MODEL_ROUTES, readAll } from './model-routes.ts'
import { KEY, startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

let vendors: Vendors
let token = ''
beforeAll(async () => {
  // What is translated asks the vendor for no more tokens than these.
  vendors = await startVendors({ MAX_OUTPUT_TOKENS: '1000000', TRANSLATED_MAX_TOKENS: '1000000' })
  token = await vendors.proxy.tokenOf('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
})

const STREAMED = MODEL_ROUTES.filter(({ canStream }) => canStream)
const ROUTES = STREAMED.map((route) => ({ ...route, route }))
const chatBody = (model: string) =>
  JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Good morning' }] })

describe('10,000 chunks', () => {
  test('come byte for byte as the vendor sent them', async () => {
    const send = (url: string, credential: string) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${credential}` },
        body: chatBody('chunks-10000+odd-json'),
      })
    const direct = Buffer.from(await (await send(vendors.upstream.url, KEY)).arrayBuffer())
    const through = Buffer.from(await (await send(`${vendors.proxy.url}/openai`, token)).arrayBuffer())
    expect(through.equals(direct)).toBe(true)
  })

  test.each(ROUTES)('come whole on $name', async ({ route }) => {
    const answer = await askOn(vendors.proxy, route, { token, model: 'chunks-10000' }, { isStream: true })
    const { text, isWhole } = await readAll(answer)
    expect(isWhole).toBe(true)
    expect(text).toContain('word-9999')
    expect(text).toContain(route.endMark)
  })
})

describe('a reader that does not read', () => {
  const TOTAL = 512 * 1024 ** 2
  /** What sockets, pipes and buffers on the way may hold. */
  const ON_THE_WAY = 32 * 1024 ** 2

  test.each(ROUTES)('holds the vendor back on $name, and goes without a trace', async ({ route }) => {
    const { upstream, proxy } = vendors
    const model = `chunks-${TOTAL / 65_536}+wide-65536`
    const asked = request(proxy.url + route.path(model, true), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    })
    asked.end(JSON.stringify(route.body(model, true)))
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.pause()
    const sent = await standstill(() => upstream.seen[0]?.sent ?? 0)
    expect(sent).toBeLessThan(ON_THE_WAY)
    expect(upstream.seen[0]?.outcome).toBe('open')
    answer.on('error', () => undefined)
    asked.destroy()
    await upstream.until(() => upstream.openRequests === 0)
  })

  /** A number once it has not changed for many turns, in which more would have come if it could. */
  async function standstill(read: () => number): Promise<number> {
    for (let before = -1; ;) {
      const now = read()
      if (now > 0 && now === before) return now
      before = now
      await turns(1_000)
    }
  }
})

describe('a forwarding loop', () => {
  test('is seen where the request comes by for the second time, and answered in the shape of the protocol', async () => {
    const looping = await startVendors()
    try {
      const { proxy } = looping
      // A provider whose address is that of llm-proxy itself, and whose key is the user's API key there.
      const target = await startVendors(
        {},
        {
          providers: [{ name: 'itself', protocol: 'openai', base_url: `${proxy.url}/openai`, private: true }],
        },
      )
      try {
        await target.addKey('alice', 'itself', proxy.issuer.apiKey('alice'))
        const answer = await fetch(`${target.proxy.url}/itself/v1/chat/completions`, {
          method: 'POST',
          headers: {
            'Content-Type': 'application/json',
            Authorization: `Bearer ${await target.proxy.tokenOf('alice')}`,
          },
          body: chatBody('mock-model'),
        })
        expect(answer.status).toBe(508)
        expect(await answer.json()).toMatchObject({ error: { code: 'loop_detected' } })
        expect(looping.upstream.seen).toHaveLength(0)
      } finally {
        await target.close()
      }
    } finally {
      await looping.close()
    }
  })
})

describe('users who ask at the same time', () => {
  const USERS = ['alice', 'bob']
  const KEYS: Record<string, string> = { alice: KEY, bob: 'sk-of-bob-98765678' }

  test('never have their keys swapped: 50 requests at once, on every route, whole and streamed', async () => {
    for (const vendor of ['openai', 'anthropic', 'gemini']) await vendors.addKey('bob', vendor, KEYS.bob!)
    const tokens = Object.fromEntries(
      await Promise.all(USERS.map(async (user) => [user, await vendors.proxy.tokenOf(user)] as const)),
    )
    for (const route of MODEL_ROUTES.filter(({ name }) => !name.includes('embed'))) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, at) => {
          const user = USERS[at % 2]!
          const way = { token: tokens[user]!, model: `chunks-30+every-${1 + (at % 3)}` }
          const answer = await askOn(vendors.proxy, route, way, { isStream: route.canStream && at % 4 < 2 })
          const { text } = await readAll(answer)
          return {
            user,
            status: answer.status,
            keys: [...text.matchAll(/\[(\d{4})\]/g)].map(([, key]) => key),
          }
        }),
      )
      for (const { user, status, keys } of answers) {
        expect(status).toBe(200)
        expect(new Set(keys)).toEqual(new Set([KEYS[user]!.slice(-4)]))
      }
      const seen = vendors.upstream.seen.map(({ key }) => key).sort()
      expect(seen.filter((key) => key === KEYS.alice!.slice(-4))).toHaveLength(25)
      expect(seen.filter((key) => key === KEYS.bob!.slice(-4))).toHaveLength(25)
      vendors.upstream.forget()
    }
  })
})
