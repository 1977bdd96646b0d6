import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting({ RELAY_BODY_LIMIT_BYTES: '4096', RELAY_MAX_JSON_DEPTH: '2001' })
})
afterAll(() => setting.close())

const CHAT = '/openai/v1/chat/completions'
const long = `{"model":"m","messages":"${'x'.repeat(4096)}"}`

describe('a body that is refused before anything is sent or reserved', () => {
  const chunked = (text: string) => ({
    body: new Blob([text.slice(0, 4000), text.slice(4000)]).stream(),
    duplex: 'half',
    headers: { 'Content-Type': 'application/json' },
  })
  it.each([
    ['half of an object', '{"model":', 400, 'invalid_json', null],
    ['a list', '[{"model":"m"}]', 400, 'invalid_json', null],
    ['what is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'invalid_json', null],
    [
      'a model that stands there twice',
      '{"model":"a","messages":[],"mod\\u0065l":"b"}',
      400,
      'invalid_value',
      'model',
    ],
    ['stream twice', '{"model":"a","stream":false,"stream":true}', 400, 'invalid_value', 'stream'],
    [
      'include_usage twice',
      '{"model":"a","stream":true,"stream_options":{"include_usage":false,"include_usage":false}}',
      400,
      'invalid_value',
      'stream_options',
    ],
    ['api_base', '{"model":"a","api_base":"http://169.254.169.254"}', 400, 'invalid_value', 'api_base'],
    ['baseURL', '{"model":"a","baseURL":null}', 400, 'invalid_value', 'baseURL'],
    ['api_key', '{"api_key":"sk-x"}', 400, 'invalid_value', 'api_key'],
    ...[
      ...['custom_llm_provider', 'aws_bedrock_runtime_endpoint', 'aws_sts_endpoint', 'vertex_credentials'],
      ...['azure_ad_token', 'model_list', 'langfuse_host', 'extra_headers'],
    ].map((name) => [name, JSON.stringify({ [name]: 'x' }), 400, 'invalid_value', name] as const),
    ['more bytes than the limit', long, 413, 'payload_too_large', null],
  ] as const)('%s', async (_, body, status, code, param) => {
    const before = [setting.upstream.seen.length, setting.metered.length]
    const answer = await setting.send(CHAT, body)
    expect(answer.status).toBe(status)
    const error = await errorOf(answer)
    expect(error).toMatchObject({ code, param, type: 'invalid_request_error' })
    expect(error.message).not.toContain('sk-x')
    expect([setting.upstream.seen.length, setting.metered.length]).toEqual(before)
  })

  it.each(['/openai/v1/Chat/Completions/', '/openai/v1/chat/completion%73'])(
    'whatever the spelling of a path on which a model is asked: %s',
    async (path) => {
      const steering = '{"model":"a","api_base":"http://169.254.169.254"}'
      expect((await setting.send(path, steering)).status).toBe(400)
      const plain = await setting.send(path, steering, { headers: { 'Content-Type': 'text/plain' } })
      expect(plain.status).toBe(415)
    },
  )

  it('more bytes than the limit, of no length that is told before', async () => {
    for (const path of [CHAT, '/openai/v1/files']) {
      const init =
        path === CHAT ? chunked(long) : { ...chunked(long), headers: { 'Content-Type': 'text/plain' } }
      const answer = await setting.send(path, init.body, init as RequestInit) // fetch's types have no duplex
      expect(answer.status).toBe(413)
    }
  })

  it.each([
    ['text/plain', {}],
    ['application/json', { 'Content-Encoding': 'gzip' }],
  ])('%s %o, where it is known what is asked', async (type, more) => {
    const answer = await setting.send(CHAT, '{"model":"m"}', { headers: { 'Content-Type': type, ...more } })
    expect(answer.status).toBe(415)
  })
})

it('a body of any depth that is allowed is read: 2,000 lists in each other', async () => {
  setting.upstream.script = json('{}')
  const body = `{"model":"m","deep":${'['.repeat(2000)}${']'.repeat(2000)}}`
  expect((await setting.send(CHAT, body)).status).toBe(200)
  expect(setting.upstream.seen.at(-1)!.body.toString()).toBe(body)
})

it('GET and DELETE have no body, and get none', async () => {
  setting.upstream.script = json('{}')
  for (const method of ['GET', 'DELETE']) {
    expect((await setting.send('/openai/v1/files/f-1', undefined, { method })).status).toBe(200)
    const { headers, body, method: seen } = setting.upstream.seen.at(-1)!
    expect(seen).toBe(method)
    expect(body).toHaveLength(0)
    expect(headers).not.toHaveProperty('transfer-encoding')
  }
})
