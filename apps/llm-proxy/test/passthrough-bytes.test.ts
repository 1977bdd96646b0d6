import { get } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunk, DONE, json, stream } from './fixtures/scripted-upstream.ts'
import { CALLERS_TOKEN, PROVIDER_KEY, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const CHAT = '/openai/v1/chat/completions'
/** What every JSON library changes: a 64-bit integer, white space, the order of names, a repeated name, escapes. */
const REQUEST =
  '{ "seed": 9007199254740993,\r\n\t"messages":[{"role":"user","content":"\\u0041 é \\/"}],"model" : "gpt-x",\n "metadata":{"z":1,"a":1.0,"z":2e0} }'
const ANSWER =
  '{ "usage":{"total_tokens":12345678901234567890, "prompt_tokens":3,"completion_tokens":4},\n"id":"c-1", "id":"c-1" }\n'

describe('bytes', () => {
  it('of a request and of its answer arrive as they were sent', async () => {
    setting.upstream.script = json(ANSWER)
    const answer = await setting.send(CHAT, REQUEST)
    expect(await answer.text()).toBe(ANSWER)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-length')).toBe(String(ANSWER.length))
    const seen = setting.upstream.seen.at(-1)!
    expect(seen.body.toString()).toBe(REQUEST)
    expect(seen.url).toBe('/v1/chat/completions')
    expect(seen.headers.authorization).toBe(`Bearer ${PROVIDER_KEY}`)
    const { usage, result } = await setting.metered.at(-1)!.ended
    expect(result).toBe('answered')
    expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 4 })
  })

  it('of a stream arrive as they were sent: comments, CRLF, unknown fields, events cut anywhere', async () => {
    const crlf = chunk('é', { usage: null }).replaceAll('\n', '\r\n')
    const bytes = Buffer.from(`: ping\r\n\r\nid: 7\r\nretry: 10\r\n${crlf}${chunk('b')}:\n\n${DONE}: bye`)
    setting.upstream.script = stream(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))
    const asked = '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
    const answer = await setting.send(CHAT, asked)
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    expect(answer.headers.get('cache-control')).toBe('private, no-store, no-transform')
    expect(answer.headers.get('x-accel-buffering')).toBe('no')
    expect(Buffer.from(await answer.arrayBuffer()).toString()).toBe(bytes.toString())
    expect(setting.upstream.seen.at(-1)!.body.toString()).toBe(asked)
  })

  it('that are no JSON stream through in both directions', async () => {
    const audio = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 256))
    setting.upstream.script = (res, { body }) => {
      res.writeHead(200, { 'Content-Type': 'audio/mpeg', 'Content-Disposition': 'attachment' }).end(body)
    }
    const headers = { 'Content-Type': 'multipart/form-data; boundary=xyz' }
    const answer = await setting.send('/openai/v1/audio/transcriptions', audio, { headers })
    expect(Buffer.from(await answer.arrayBuffer()).equals(audio)).toBe(true)
    expect(answer.headers.get('content-type')).toBe('audio/mpeg')
    const seen = setting.upstream.seen.at(-1)!
    expect(seen.headers['content-type']).toBe(headers['Content-Type'])
    expect(seen.headers['content-length']).toBe('300000')
  })

  it.each([400, 401, 404, 429, 500, 529])(
    'of an error %i arrive as they were sent, with its headers',
    async (status) => {
      const body = `{"error":{"message":"as the provider says it", "n":1.0}, "status":${String(status)}}`
      const told = {
        'retry-after': '7',
        'retry-after-ms': '6500',
        'x-should-retry': 'false',
        'x-ratelimit-reset-tokens': '6ms',
      }
      setting.upstream.script = json(body, { status, headers: told })
      const answer = await setting.send(CHAT, '{"model":"gpt-x"}')
      expect(answer.status).toBe(status)
      expect(await answer.text()).toBe(body)
      expect(Object.fromEntries(answer.headers)).toMatchObject(told)
      expect((await setting.metered.at(-1)!.ended).result).toBe('failed')
    },
  )
})

describe('the path', () => {
  it.each([
    '/v1/models/gpt%2Dx?a=1&a=%32&b',
    '/v1/fine_tuning/checkpoints/ft%3Agpt:x/permissions',
    "/v1/x/~!$&'()*+,=:@/%C3%A9",
  ])('goes on as it stands on the wire: %s', async (path) => {
    setting.upstream.script = json('{}')
    expect((await setting.send(`/openai${path}`)).status).toBe(200)
    expect(setting.upstream.seen.at(-1)!.url).toBe(path)
  })

  it.each(['/v1/..%2fadmin', '/v1//x', '/v1/%2e%2e/x', '/v1/a\\b', '/v1/a;b', '/v1/a%5cb'])(
    'is refused when it can be read in two ways: %s',
    async (path) => {
      const before = setting.upstream.seen.length
      const { status } = await rawGet(setting.url, `/openai${path}`)
      expect(status).toBe(400)
      expect(setting.upstream.seen).toHaveLength(before)
    },
  )

  it('does not carry the credential of the caller', async () => {
    setting.upstream.script = json('{}')
    await setting.send('/gemini/v1beta/models?key=wb_secret&pageSize=2&%6bey=wb_secret&api_key=wb_secret')
    expect(setting.upstream.seen.at(-1)!.url).toBe('/v1beta/models?pageSize=2')
  })
})

/** A request whose path no client library has touched. */
async function rawGet(url: string, path: string): Promise<{ status: number | undefined }> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    get({ hostname, port, path, headers: { Authorization: `Bearer ${CALLERS_TOKEN}` } }, (res) => {
      res.resume().once('end', () => resolve({ status: res.statusCode }))
    }).once('error', reject)
  })
}
