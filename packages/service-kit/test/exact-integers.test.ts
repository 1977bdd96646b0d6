import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { route } from '../src/index.ts'
import { anybody, stand } from './stand.ts'

const spec = {
  auth: anybody,
  summary: 'Keep',
  input: { body: z.unknown() },
  handle: ({ body }: { body: unknown }) => ({ kept: body }),
}
const exact = route('POST', '/v1/exact', { ...spec, exactIntegers: true })
const usual = route('POST', '/v1/usual', spec)

async function send(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
  await using here = await stand([exact, usual])
  const response = await fetch(`http://127.0.0.1:${String(here.port)}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  })
  return { status: response.status, text: await response.text() }
}

describe('a route that keeps integers to the last digit (RFC 8259 section 6)', () => {
  test.each([
    '[9007199254740993]',
    '{"a":{"b":[1,-9007199254740993]}}',
    '12345678901234567890',
    `[1${'0'.repeat(400)}]`,
    '\ufeff[9007199254740993]',
  ])('refuses one of which a double would not: %s', async (body) => {
    const { status, text } = await send('/v1/exact', body)
    expect([status, text]).toEqual([422, expect.stringMatching(/has more digits than are kept/)])
  })

  test.each([
    '[9007199254740992,-9007199254740991,100000000000000000000]',
    '["9007199254740993","12345678901234567890"]',
    '[0.1234567890123456789,1.00000000000000001,1e21]',
    '{"12345678901234567890":1}',
  ])('takes what is kept, texts, and fractions as near as a double is: %s', async (body) => {
    expect(await send('/v1/exact', body)).toEqual({
      status: 200,
      text: JSON.stringify({ kept: JSON.parse(body) as unknown }),
    })
  })

  test('reads what was compressed, and refuses what is not UTF-8', async () => {
    const body = '[9007199254740993]'
    expect(await send('/v1/exact', gzipSync(body), { 'Content-Encoding': 'gzip' })).toMatchObject({
      status: 422,
    })
    const utf16 = { 'Content-Type': 'application/json; charset=utf-16le' }
    expect(await send('/v1/exact', Buffer.from(body, 'utf16le'), utf16)).toMatchObject({ status: 415 })
  })

  test('refuses bytes that are no UTF-8, which would be kept as other texts', async () => {
    const { status, text } = await send('/v1/exact', Buffer.from('["caf\u00e9"]', 'latin1'))
    expect([status, text]).toEqual([400, expect.stringContaining('not valid UTF-8')])
    expect(await send('/v1/exact', '["caf\u00e9"]')).toMatchObject({ status: 200 })
  })

  test('is not what other routes are: they take the nearest double', async () => {
    expect(await send('/v1/usual', '[9007199254740993]')).toEqual({
      status: 200,
      text: '{"kept":[9007199254740992]}',
    })
  })
})
