import { startPlatform } from '@waybill/dev-env'
import type { Platform } from '@waybill/dev-env'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newUser } from '../src/user.ts'
import type { User } from '../src/user.ts'

// A platform of its own: what became of a call is asked of the provider itself.
let platform: Platform
let user: User

beforeAll(async () => {
  platform = await startPlatform({ env: { ...process.env, LOG_LEVEL: 'warn' } })
  user = await newUser(platform.services.gateway)
  await user.ask('/keys', { json: { provider: 'mock', key: 'sk-of-somebody-who-leaves' } })
})
beforeEach(() => {
  platform.llmUpstream.forget()
})
afterAll(() => platform.close())

function chat(model: string, more: { stream?: boolean; signal?: AbortSignal } = {}): Promise<Response> {
  const { stream = true, signal } = more
  return fetch(`${platform.services.gateway}/v1/chat/completions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${user.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ model: `mock/${model}`, stream, messages: [{ role: 'user', content: 'Hello' }] }),
    ...(signal && { signal }),
  })
}

describe('a client that goes away, two services before the provider,', () => {
  it.each([
    ['before the head', 'no-first-byte', true],
    ['before the head of an answer that is no stream', 'no-first-byte', false],
    ['before the first chunk', 'stall-0', true],
    ['in the middle', 'chunks-10000+every-20', true],
  ])('ends the call there: %s', async (_stage, model, stream) => {
    const { llmUpstream } = platform
    const before = llmUpstream.aborts
    const leaving = new AbortController()
    const answer = chat(model, { stream, signal: leaving.signal })
    answer.catch(() => undefined)
    await llmUpstream.until(() => llmUpstream.seen.length === 1)
    if (model.startsWith('chunks')) await (await answer).body!.getReader().read()
    leaving.abort()
    await llmUpstream.until(() => llmUpstream.aborts === before + 1)
    expect(llmUpstream.openRequests).toBe(0)
  })
})

describe('a provider that breaks off', () => {
  it.each([
    ['by a reset', 'reset-3'],
    ['as if that were the end', 'cut-3'],
    ['after bytes that are no frame', 'garbled-3'],
  ])('%s is an error at the client, and never a clean end', async (_how, model) => {
    const answer = await chat(`chunks-20+${model}`)
    expect(answer.status).toBe(200)
    let text = ''
    const whole = (async () => {
      for await (const chunk of answer.body!) text += Buffer.from(chunk).toString()
    })()
    await expect(whole).rejects.toThrow()
    expect(text).toContain('"content"')
    expect(text).not.toContain('[DONE]')
    const last = text.trimEnd().split('\n\n').at(-1) ?? ''
    expect(JSON.parse(last.replace(/^data: /, ''))).toMatchObject({ error: { type: 'server_error' } })
  })

  it('before the first byte is a plain error with a status', async () => {
    const answer = await chat('no-head')
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({
      error: { type: 'server_error', message: expect.any(String) },
    })
  })

  it('with an error of its own is passed on to the letter, with how long to wait', async () => {
    const answer = await chat('err-429')
    expect([answer.status, answer.headers.get('retry-after-ms')]).toEqual([429, '50'])
    expect(answer.headers.get('x-provider-request-id')).toMatch(/^req_/)
    expect(await answer.json()).toMatchObject({ error: { message: expect.any(String) } })
  })
})
