import { clientEnv, createHttpClient } from '@waybill/http-client'
import { createLogger, loadConfig, Problem, Secret, serviceEnv } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createCatalog } from '../src/providers/catalog.ts'
import { sendableHeaders } from '../src/relay/header-policy.ts'
import { createModelList } from '../src/vendors/model-list.ts'
import type { ModelList } from '../src/vendors/model-list.ts'
import { json, startScriptedUpstream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'

// A client that goes away aborts the upstream at once, also where several wait for one answer: then the last of them.

const ALICE: UserPrincipal = {
  ...{ kind: 'user', userId: 'alice', role: 'user', permissions: ['agents.query'], actors: [], via: 'jwt' },
}
const LIST = json('{"object":"list","data":[{"id":"gpt-x","created":7,"owned_by":"system"}]}')
const LISTED = [{ id: 'openai/gpt-x', created: 7, owned_by: 'system' }]
const GONE = new Problem('client_closed', 'The client went away.')

let upstream: ScriptedUpstream
let logged = ''
const log = createLogger({
  service: 'test',
  level: 'debug',
  destination: { write: (line) => void (logged += line) },
})
const http = createHttpClient({
  service: 'llm-proxy',
  config: loadConfig(z.object({ ...serviceEnv({ port: 0 }), ...clientEnv }), {
    SERVICE_SECRET: 'not used here',
  }),
})
beforeAll(async () => {
  upstream = await startScriptedUpstream()
})
beforeEach(() => {
  upstream.seen.length = 0
  upstream.script = () => undefined
  logged = ''
})
afterAll(async () => {
  await http.close()
  await upstream.close()
})

/** The models of OpenAI, for which alice has a key; time-outs are far longer than any test. */
function listOf(cacheSeconds = 300): ModelList {
  const catalog = createCatalog({
    ...{ PROVIDERS_FILE: '', PRIVATE_UPSTREAMS: [] },
    PROVIDER_URLS: [`openai=${upstream.url}`],
  })
  return createModelList({
    ...{ catalog, cacheSeconds, cacheEntries: 10, timeoutMs: 600_000, maxBytes: 1_000_000 },
    keys: {
      open: () =>
        Promise.resolve({ id: 'k', name: 'default', version: '1', secret: new Secret('sk-of-alice') }),
      providersOf: () => Promise.resolve(['openai']),
    },
    upstream: http.external({ allowHeaders: sendableHeaders(catalog.all()) }),
    loop: { via: () => '1.1 test' },
    translations: {},
  })
}

/** One who asks, and may leave. */
function waiter(list: ModelList) {
  const leaving = new AbortController()
  const models = list.of(ALICE, log, leaving.signal)
  models.catch(() => undefined)
  return { models, leave: () => leaving.abort(GONE) }
}

describe('two who wait for the models of one provider', () => {
  /** Both wait before the request can have come in: what they wait for until then needs no socket. */
  const bothWaiting = async () => {
    const list = listOf()
    const asked = upstream.nextRequest()
    const [first, second] = [waiter(list), waiter(list)]
    return { list, first, second, ...(await asked) }
  }

  it.each(['first', 'second'] as const)(
    'do not notice when the %s leaves: the other gets them',
    async (one) => {
      const answers = Promise.withResolvers<undefined>()
      upstream.script = async (res) => LIST((await answers.promise, res))
      const both = await bothWaiting()
      both[one].leave()
      await expect(both[one].models).rejects.toBe(GONE)
      answers.resolve(undefined)
      expect(await both[one === 'first' ? 'second' : 'first'].models).toEqual(LISTED)
      expect(upstream.seen).toHaveLength(1)
      expect(await waiter(both.list).models).toEqual(LISTED)
      expect(upstream.seen).toHaveLength(1)
    },
  )

  it.each([
    ['before the head', () => undefined],
    [
      'midway',
      (res: Parameters<ScriptedUpstream['script']>[0]) => void res.writeHead(200).write('{"data":['),
    ],
  ])('end its request when both have left, %s; who comes then asks anew', async (_, script) => {
    upstream.script = script
    const { list, first, second, aborted } = await bothWaiting()
    first.leave()
    second.leave()
    await expect(second.models).rejects.toBe(GONE)
    upstream.script = LIST
    expect(await waiter(list).models).toEqual(LISTED)
    await aborted
    expect(await waiter(list).models).toEqual(LISTED)
    expect(upstream.seen).toHaveLength(2)
    // It is not the provider that failed.
    expect(logged).toBe('')
  })
})

it('who waits alone, where nothing is remembered, ends the request by leaving', async () => {
  const asked = upstream.nextRequest()
  const { models, leave } = waiter(listOf(0))
  const { aborted } = await asked
  leave()
  await aborted
  await expect(models).rejects.toBe(GONE)
})

it('who has left before a provider was asked has none asked', async () => {
  const { models, leave } = waiter(listOf())
  leave()
  await expect(models).rejects.toBe(GONE)
  expect(upstream.seen).toHaveLength(0)
})
