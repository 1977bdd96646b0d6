import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { CALLERS_TOKEN, PROVIDER_KEY, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

/** The whole answer to a method that fetch does not send. */
async function raw(method: string, path: string): Promise<string> {
  const { port, hostname } = new URL(setting.url)
  const socket = connect(Number(port), hostname)
  const head = [`${method} ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${CALLERS_TOKEN}`]
  socket.write([...head, 'Connection: close', '', ''].join('\r\n'))
  return text(socket)
}

describe('a provider is sent', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])('%s', async (method) => {
    setting.upstream.script = json('{}')
    const body = method === 'GET' || method === 'HEAD' ? null : '{}'
    expect((await setting.send('/openai/v1/files/f1', body, { method })).status).toBe(200)
    expect(setting.upstream.seen.at(-1)!.method).toBe(method)
  })

  it.each([
    ['/openai/v1/files', '"error":{"message":'],
    ['/anthropic/v1/messages', '"type":"error"'],
    ['/gemini/v1beta/models', '"error":{"code":405,'],
    ['/gemini/v1beta/openai/models', '"param":null'],
  ])('no other method: TRACE would give back the key that it was sent with (%s)', async (path, shape) => {
    const before = setting.upstream.seen.length
    for (const method of ['TRACE', 'PROPFIND', 'SEARCH']) {
      const answer = await raw(method, path)
      expect(answer).toMatch(/^HTTP\/1.1 405 /)
      expect(answer).toContain('Allow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n')
      expect(answer).toContain(shape)
      expect(answer).not.toContain(PROVIDER_KEY)
    }
    expect(setting.upstream.seen).toHaveLength(before)
  })
})

describe('what no route took is an error of the protocol', () => {
  const OPENAI = (code: string) => ({ error: { type: 'invalid_request_error', param: null, code } })
  it.each([
    ['GET', '/v1/chat/completions', 405, 'POST', OPENAI('method_not_allowed')],
    ['DELETE', '/v1/embeddings', 405, 'POST', OPENAI('method_not_allowed')],
    ['GET', '/v1/files', 404, null, OPENAI('not_found')],
    ['DELETE', '/v1/nope', 404, null, OPENAI('not_found')],
    ['GET', '/openai', 404, null, OPENAI('not_found')],
    ['GET', '/openai/', 404, null, OPENAI('not_found')],
    ['GET', '/openai/v1/%zz', 400, null, OPENAI('bad_request')],
    ['GET', '/anthropic', 404, null, { type: 'error', error: { type: 'not_found_error' } }],
    ['GET', '/gemini/%zz', 400, null, { error: { code: 400, status: 'INVALID_ARGUMENT' } }],
    ['GET', '/gemini/v1beta/openai/%zz', 400, null, OPENAI('bad_request')],
  ])('%s %s: %i', async (method, path, status, allow, shape) => {
    const answer = await setting.send(path, undefined, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([status, allow])
    expect(await answer.json()).toMatchObject(shape)
  })
})
