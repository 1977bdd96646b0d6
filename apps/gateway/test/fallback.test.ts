import { afterEach, beforeEach, expect, test } from 'vitest'
import { raw, stand } from './stand.ts'
import type { Stand } from './stand.ts'

let here: Stand
let token: string
beforeEach(async () => {
  here = await stand({ LLM_PROVIDERS: 'bedrock=anthropic' })
  token = await here.issuer.userToken('ann')
})
afterEach(() => here.close())

test.each([
  ['/openai/v1/chat/completions', '"error":{"message":"'],
  ['/bedrock/v1/messages', '"type":"error","error":{"type":"invalid_request_error"'],
  ['/gemini/v1beta/openai/chat/completions', '"type":"invalid_request_error","param":null'],
  ['/gemini/v1beta/models', '"error":{"code":405,'],
  ['/data/v1/x', '"code":"method_not_allowed"'],
])('no door passes on a method that HTTP has for itself or for WebDAV: %s', async (path, shape) => {
  for (const method of ['TRACE', 'PROPFIND', 'MKCOL']) {
    const answer = await raw(here.port, `${method} ${path} HTTP/1.1`, `Authorization: Bearer ${token}`)
    expect(answer).toMatch(/^HTTP\/1.1 405 /)
    expect(answer).toContain('Allow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n')
    expect(answer).toContain(shape)
  }
  expect(here.behind.arrivals).toEqual([])
})

test.each([
  ['/openai', 404, { error: { type: 'invalid_request_error', param: null, code: 'not_found' } }],
  ['/openai/', 404, { error: { type: 'invalid_request_error', param: null, code: 'not_found' } }],
  ['/v1', 404, { error: { type: 'invalid_request_error', param: null, code: 'not_found' } }],
  ['/anthropic/', 404, { type: 'error', error: { type: 'not_found_error' } }],
  ['/gemini', 404, { error: { code: 404, status: 'NOT_FOUND' } }],
  ['/openai/v1/%zz', 400, { error: { type: 'invalid_request_error', code: 'bad_request' } }],
  ['/bedrock/%zz', 400, { type: 'error', error: { type: 'invalid_request_error' } }],
  ['/unnamed', 404, { code: 'not_found' }],
  ['/data/%zz', 400, { code: 'bad_request' }],
])("an error at %s, which no door took, has the shape of the vendor's", async (path, status, shape) => {
  const answer = await fetch(here.url + path, { headers: { Authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(status)
  expect(await answer.json()).toMatchObject(shape)
})
