import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { raw, stand } from './stand.ts'
import type { Stand } from './stand.ts'

let here: Stand
beforeEach(async () => {
  here = await stand({ API_KEY_CALLS_PER_MINUTE: 'standard=3', ANONYMOUS_CALLS_PER_MINUTE: '2' })
})
afterEach(() => here.close())

const statusOf = (answer: string): number => Number(answer.split(' ')[1])

describe('an API key at the door', () => {
  test('is exchanged for a token for the service behind, which never sees it', async () => {
    const key = here.issuer.apiKey('ann')
    expect(statusOf(await raw(here.port, 'GET /data/v1/backends HTTP/1.1', `X-API-Key: ${key}`))).toBe(200)
    expect(here.exchanges).toHaveLength(1)
    expect(Object.fromEntries(here.exchanges[0]!)).toMatchObject({
      audience: 'data_store',
      subject_token: key,
      subject_token_type: 'urn:waybill:params:oauth:token-type:api-key',
    })
    const [arrival] = here.behind.arrivals
    expect(arrival?.headers).toMatchObject({ authorization: 'Bearer obo-data_store', 'x-user-id': 'ann' })
    expect(JSON.stringify(here.behind.arrivals)).not.toContain(key)
  })

  test('is not exchanged when it is not known, or beside a token', async () => {
    const key = here.issuer.apiKey('ann')
    const bearer = `Authorization: Bearer ${await here.issuer.userToken('ann')}`
    const unknown = `X-API-Key: ${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`
    expect(statusOf(await raw(here.port, 'GET /data/v1/x HTTP/1.1', unknown))).toBe(401)
    expect(statusOf(await raw(here.port, 'GET /data/v1/x HTTP/1.1', `X-API-Key: ${key}`, bearer))).toBe(400)
    expect(here.exchanges).toEqual([])
  })

  test('has an allowance of its own, told with every answer', async () => {
    const key = `X-API-Key: ${here.issuer.apiKey('ann', { tier: 'standard' })}`
    const answers: string[] = []
    for (let call = 0; call < 4; call += 1) answers.push(await raw(here.port, 'GET /data/v1/x HTTP/1.1', key))
    expect(answers.map(statusOf)).toEqual([200, 200, 200, 429])
    expect(answers[0]).toMatch(/\r\nRateLimit: "key-calls-standard";r=2;t=\d+\r\n/i)
    expect(answers[3]).toMatch(/\r\nRetry-After: \d+\r\n/i)
    const bearer = `Authorization: Bearer ${await here.issuer.userToken('ann', { tier: 'standard' })}`
    expect(statusOf(await raw(here.port, 'GET /data/v1/x HTTP/1.1', bearer))).toBe(200)
  })
})

test('strangers are counted by address, and users who are not strangers are not refused with them', async () => {
  const calls = [1, 2, 3].map(() => raw(here.port, 'GET /.well-known/jwks.json HTTP/1.1'))
  expect((await Promise.all(calls)).map(statusOf).sort()).toEqual([200, 200, 429])
  const bearer = `Authorization: Bearer ${await here.issuer.userToken('ann')}`
  expect(statusOf(await raw(here.port, 'GET /data/v1/x HTTP/1.1', bearer))).toBe(200)
})
