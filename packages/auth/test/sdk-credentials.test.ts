import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { createLogger, createService, loadConfig, route, serviceEnv } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { authEnv, createServiceAuth, generateApiKey, user } from '../src/index.ts'
import { StandInIssuer } from './stand-in.ts'

const issuer = new StandInIssuer()
const TOKEN = issuer.userToken('ann')
const API_KEY = issuer.apiKey('bob', 'key-of-bob')
const UNKNOWN = generateApiKey()

const PLACES_OF = [['/openai/', 'anywhere'] as const, ['/llm/', 'headers'] as const]

let service: Service
let url: string
beforeAll(async () => {
  const config = loadConfig(z.object({ ...serviceEnv({ port: 0 }), ...authEnv }), { LOG_LEVEL: 'silent' })
  const auth = createServiceAuth({
    ...{ config, issuer, audiences: ['waybill'], log: createLogger({ service: 'x', level: 'silent' }) },
    sdkCredentials: (path) => PLACES_OF.find(([start]) => path.startsWith(start))?.[1],
  })
  const who = {
    auth: user(),
    summary: 'Who is asking',
    handle: ({ principal }: { principal: { userId: string; via: string } }) => ({
      userId: principal.userId,
      via: principal.via,
    }),
  }
  const routes = ['/openai/*path', '/llm/*path', '/other/*path'].map((path) => route('ALL', path, who))
  service = createService({ name: 'who', config, auth, routes })
  await service.start()
  url = (await service.listen({ port: 0 })).url
})
afterAll(() => service.close())

/** By raw headers, so that one may come twice. */
async function ask(path: string, ...headers: [string, string][]): Promise<[number, unknown]> {
  const sent = request(url + path, { headers: ['Host', 'who.test', ...headers.flat()] })
  sent.end()
  const answer = await new Promise<Parameters<typeof text>[0] & { statusCode?: number }>(
    (resolve, reject) => void sent.once('response', resolve).once('error', reject),
  )
  const body = JSON.parse(await text(answer)) as { userId?: string; code?: string }
  return [answer.statusCode ?? 0, body.userId ?? body.code]
}

const PLACES: [string, (value: string) => Parameters<typeof ask>][] = [
  ['Authorization', (value) => ['/x', ['Authorization', `Bearer ${value}`]]],
  ['X-API-Key', (value) => ['/x', ['X-API-Key', value]]],
  ['x-goog-api-key', (value) => ['/x', ['x-goog-api-key', value]]],
  ['api-key', (value) => ['/x', ['api-key', value]]],
  ['the parameter key', (value) => [`/x?alt=sse&key=${value}`]],
]
const at = (prefix: string, [path, ...headers]: Parameters<typeof ask>) => ask(prefix + path, ...headers)

describe("on a path of a vendor's SDK a credential is taken from", () => {
  test.each(PLACES)('%s: a token as a token, an API key as an API key', async (_name, place) => {
    expect(await at('/openai', place(TOKEN))).toEqual([200, 'ann'])
    expect(await at('/openai', place(API_KEY))).toEqual([200, 'bob'])
  })

  test.each(PLACES)(
    "%s, where a vendor's key is told from a token and where it belongs",
    async (_name, place) => {
      for (const foreign of ['sk-a-vendors-own', 'AIzaSyA.x', 'gsk_1']) {
        const [path, ...headers] = place(foreign)
        const answer = await fetch(`${url}/openai${path}`, { headers })
        const { detail } = (await answer.json()) as { detail: string }
        expect(detail).toContain('no credential of this platform')
        expect(detail).toContain('POST /keys')
        expect(detail).not.toContain(foreign)
      }
    },
  )

  test.each(PLACES)('%s, and is refused there when it is bad', async (_name, place) => {
    for (const bad of [UNKNOWN, `${TOKEN}x`, 'sk-a-vendors-own', 'wb_', 'a.b.c'])
      expect([bad, await at('/openai', place(bad))]).toEqual([bad, [401, 'invalid_token']])
  })

  const all = PLACES.flatMap(([a, one], index) =>
    PLACES.slice(index + 1).map(([b, other]) => [a, b, one, other] as const),
  )
  const both = (one: Parameters<typeof ask>, other: Parameters<typeof ask>): Parameters<typeof ask> => {
    const [[path, ...headers], [otherPath, ...others]] = [one, other]
    return [path.length > otherPath.length ? path : otherPath, ...headers, ...others]
  }
  test.each(all)('%s and %s: the same twice is one, two are 400 whichever is good', async (...args) => {
    const [, , one, other] = args
    expect(await at('/openai', both(one(API_KEY), other(API_KEY)))).toEqual([200, 'bob'])
    for (const [first, second] of [
      [TOKEN, API_KEY],
      [API_KEY, UNKNOWN],
      ['x', TOKEN],
    ])
      expect(await at('/openai', both(one(first!), other(second!)))).toEqual([400, 'ambiguous_credentials'])
  })

  test.each<[string, Parameters<typeof ask>]>([
    ['Authorization', ['/x', ['Authorization', `Bearer ${TOKEN}`], ['Authorization', `Bearer ${TOKEN}`]]],
    ['X-API-Key', ['/x', ['X-API-Key', API_KEY], ['x-api-key', API_KEY]]],
    ['x-goog-api-key', ['/x', ['x-goog-api-key', API_KEY], ['x-goog-api-key', API_KEY]]],
    ['api-key', ['/x', ['api-key', API_KEY], ['API-KEY', API_KEY]]],
    ['the parameter key', [`/x?key=${API_KEY}&key=${API_KEY}`]],
  ])('%s once: the same place twice is 400, even with the same', async (_name, twice) => {
    expect(await at('/openai', twice)).toEqual([400, 'ambiguous_credentials'])
  })

  test.each<[string, string, [string, string][]]>([
    ['an empty header beside a token', '/openai/x', [['api-key', '']]],
    ['an empty parameter beside a token', '/openai/x?key=', []],
    ['another scheme beside a token', '/openai/x', [['X-API-Key', 'Basic eDp5']]],
  ])('nowhere else when it is empty or none: %s', async (_name, path, more) => {
    expect(await ask(path, ['Authorization', `Bearer ${TOKEN}`], ...more)).toEqual([
      400,
      'ambiguous_credentials',
    ])
  })

  test.each(PLACES.slice(0, -1))('%s, where no parameter counts either', async (_name, place) => {
    expect(await at('/llm', place(TOKEN))).toEqual([200, 'ann'])
    const [path, ...headers] = place(API_KEY)
    expect(await ask(`/llm${path}?key=${TOKEN}`, ...headers)).toEqual([200, 'bob'])
    expect(await at('/llm', place('sk-a-vendors-own'))).toEqual([401, 'invalid_token'])
  })

  test('not from a parameter where headers alone are', async () => {
    expect(await ask(`/llm/x?key=${API_KEY}`)).toEqual([401, 'unauthenticated'])
  })

  test('no other scheme than Bearer, and no other parameter than key', async () => {
    expect(await ask('/openai/x', ['Authorization', `Basic ${API_KEY}`])).toEqual([401, 'invalid_token'])
    expect(await ask('/openai/x', ['Authorization', API_KEY])).toEqual([401, 'invalid_token'])
    for (const name of ['KEY', 'api_key', 'x', 'keys'])
      expect(await ask(`/openai/x?${name}=${API_KEY}`)).toEqual([401, 'unauthenticated'])
  })
})

describe('on any other path nothing has changed:', () => {
  test('a token is a Bearer, an API key stands in X-API-Key', async () => {
    expect(await ask('/other/x', ['Authorization', `Bearer ${TOKEN}`])).toEqual([200, 'ann'])
    expect(await ask('/other/x', ['X-API-Key', API_KEY])).toEqual([200, 'bob'])
  })

  test('the one in the place of the other is refused', async () => {
    expect(await ask('/other/x', ['Authorization', `Bearer ${API_KEY}`])).toEqual([401, 'invalid_token'])
    expect(await ask('/other/x', ['X-API-Key', TOKEN])).toEqual([401, 'invalid_token'])
    const answer = await fetch(`${url}/other/x`, { headers: { Authorization: `Bearer ${API_KEY}` } })
    expect(((await answer.json()) as { detail: string }).detail).toContain('X-API-Key')
    expect(await ask('/other/x', ['X-API-Key', API_KEY], ['X-API-Key', API_KEY])).toEqual([
      400,
      'ambiguous_credentials',
    ])
  })

  test.each(PLACES.slice(2))('%s is not looked at', async (_name, place) => {
    expect(await at('/other', place(API_KEY))).toEqual([401, 'unauthenticated'])
  })
})
