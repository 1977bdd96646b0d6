import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { askOn, MODEL_ROUTES, readAll } from './model-routes.ts'
import { startVendors } from './vendors-setting.ts'
import type { Vendors } from './vendors-setting.ts'

// An upstream that fails is a failure to the client, whatever the route: never a clean end that looks complete.

let vendors: Vendors
let token = ''
beforeAll(async () => {
  vendors = await startVendors({ UPSTREAM_FIRST_BYTE_TIMEOUT_MS: '400', UPSTREAM_IDLE_TIMEOUT_MS: '400' })
  token = await vendors.proxy.tokenOf('alice')
})
afterAll(() => vendors.close())
beforeEach(() => {
  vendors.upstream.forget()
})

const ROUTES = MODEL_ROUTES.map((route) => ({ ...route, route }))

describe.each(ROUTES)('$name', ({ route, canStream }) => {
  const ask = (model: string, isStream = false) => askOn(vendors.proxy, route, { token, model }, { isStream })

  test.each([
    ['no-head', 502],
    ['garbage', 502],
    ['redirect', 502],
    ['no-first-byte', 504],
  ])('before anything has come, %s is %i, as JSON, in the shape of the route', async (model, status) => {
    for (const isStream of canStream ? [false, true] : [false]) {
      const answer = await ask(model, isStream)
      const { text } = await readAll(answer)
      expect({ status: answer.status, text }).toMatchObject({ status })
      expect(answer.headers.get('content-type')).toMatch(/json/)
      expect(text).toContain(route.errorMark)
      expect(text).not.toMatch(/127\.0\.0\.1|ECONN|undici|nginx|location/i)
      expect(answer.headers.get('location')).toBeNull()
    }
    expect(vendors.upstream.seen.every(({ url }) => url !== '/redirected')).toBe(true)
  })

  test.each(canStream ? ['reset-6', 'cut-6', 'garbled-6', 'stall-6'] : [])(
    'a stream that goes %s ends in an error that is told, without its end mark, and not cleanly',
    async (model) => {
      const answer = await ask(`chunks-20+${model}`, true)
      expect(answer.status).toBe(200)
      const { text, isWhole } = await readAll(answer)
      expect(text).toContain('[1234]')
      expect(text).not.toContain(route.endMark)
      expect(text).toContain(route.errorMark)
      expect(isWhole).toBe(route.endsInError === true)
    },
  )

  test.each(['reset-3', 'cut-3', 'stall-3'])('a whole body that goes %s is no answer', async (model) => {
    const answer = await ask(model)
    const { text, isWhole } = await readAll(answer)
    const isRefused = answer.status >= 502 && text.includes(route.errorMark)
    expect(isRefused || !isWhole, `${answer.status} ${text}`).toBe(true)
  })

  test('afterwards it answers as if nothing had been', async () => {
    const { status } = await ask('mock-model')
    expect(status).toBe(200)
    await vendors.upstream.until(() => vendors.upstream.openRequests === 0)
  })
})

describe('what the vendor says of itself', () => {
  const native = ROUTES.filter(({ name }) => /^\/(openai|anthropic|gemini)/.test(name))

  test.each(native)('$name: status, bytes and what tells when to come back', async ({ route }) => {
    for (const status of [400, 401, 403, 404, 429, 500, 503, 529]) {
      const direct = await fetch(
        vendors.upstream.url + route.path(`err-${status}`, false).replace(/^\/\w+/, ''),
        {
          method: 'POST',
          headers: {
            'Content-Type': 'application/json',
            ...(route.name.startsWith('/anthropic')
              ? { 'x-api-key': 'sk-of-alice-1234', 'anthropic-version': '2023-06-01' }
              : route.name.startsWith('/gemini')
                ? { 'x-goog-api-key': 'sk-of-alice-1234' }
                : { Authorization: 'Bearer sk-of-alice-1234' }),
          },
          body: JSON.stringify(route.body(`err-${status}`, false)),
        },
      )
      const through = await askOn(vendors.proxy, route, { token, model: `err-${status}` })
      expect(through.status).toBe(status)
      expect(await through.text()).toBe(await direct.text())
      for (const name of [
        'content-type',
        'retry-after',
        'retry-after-ms',
        'x-ratelimit-remaining-requests',
      ]) {
        expect(through.headers.get(name), name).toBe(direct.headers.get(name))
      }
      expect(through.headers.get('anthropic-ratelimit-requests-remaining')).toBe(
        direct.headers.get('anthropic-ratelimit-requests-remaining'),
      )
    }
  })
})

test('an upstream that is not there: 502 in the shape of the protocol, and nothing of where it should have been', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const base_url = `http://127.0.0.1:${String(port)}`
  const gone = await startVendors(
    {},
    {
      providers: ['openai', 'anthropic'].map((protocol) => ({
        ...{ name: `gone-${protocol}`, protocol, base_url, private: true },
      })),
    },
  )
  try {
    const alice = await gone.proxy.tokenOf('alice')
    for (const protocol of ['openai', 'anthropic'])
      await gone.addKey('alice', `gone-${protocol}`, 'sk-of-alice-1234')
    for (const route of MODEL_ROUTES.filter(({ name }) => /^\/(openai|anthropic)/.test(name))) {
      const path = (model: string, isStream: boolean) => route.path(model, isStream).replace('/', '/gone-')
      const answer = await askOn(
        gone.proxy,
        { ...route, path },
        { token: alice, model: 'm' },
        { isStream: true },
      )
      const text = await answer.text()
      expect(answer.status).toBe(502)
      expect(text).toContain('"error":{')
      expect(text).not.toMatch(new RegExp(`${String(port)}|ECONNREFUSED`))
    }
  } finally {
    await gone.close()
  }
})
