import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RelayCall } from '../src/relay/call.ts'
import { createLoop } from '../src/relay/loop.ts'
import type { Recipient } from '../src/relay/recipient.ts'
import { createRelay } from '../src/relay/relay.ts'
import type { RelayOptions } from '../src/relay/relay.ts'
import type { CallOutcome } from '../src/usage/meter.ts'
import { chunk, DONE, head, json, stream } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting({
    UPSTREAM_FIRST_BYTE_TIMEOUT_MS: '200',
    UPSTREAM_IDLE_TIMEOUT_MS: '200',
    MAX_READ_ANSWER_BYTES: '1024',
  })
})
afterAll(() => setting.close())

const CHAT = '/openai/v1/chat/completions'
const ask = async (body = '{"model":"m","messages":[]}', path = CHAT) => {
  const answer = await setting.send(path, body)
  await answer.text().catch(() => undefined)
  return setting.metered.at(-1)!.ended
}

describe('of a call nothing was used', () => {
  it('when the provider refused it', async () => {
    setting.upstream.script = json('{"error":{}}', { status: 429 })
    expect(await ask()).toMatchObject({ result: 'failed', unused: true })
  })

  it('when nobody could be reached', async () => {
    const gone = await startRelaySetting({ PROVIDER_URLS: 'openai=http://127.0.0.1:9' })
    await gone.send(CHAT, '{"model":"m"}')
    expect(await gone.metered.at(-1)!.ended).toMatchObject({ result: 'failed', unused: true })
    await gone.close()
  })
})

describe('a call was paid for, perhaps', () => {
  it.each([
    ['when no head came in time', () => undefined],
    ['when it broke off before its head', (res: { destroy(): unknown }) => void res.destroy()],
    ['when nothing came behind the head', head({ 'Content-Type': 'application/json' })],
  ])('%s', async (_, script) => {
    setting.upstream.script = script
    const outcome = await ask()
    expect(outcome).toMatchObject({ result: 'failed', unused: false })
  })

  it('when its client left while the provider was at work', async () => {
    setting.upstream.script = () => undefined
    const leaving = new AbortController()
    const arrived = setting.upstream.nextRequest()
    const asked = setting.send(CHAT, '{"model":"m"}', { signal: leaving.signal })
    asked.catch(() => undefined)
    await arrived
    leaving.abort()
    expect(await setting.metered.at(-1)!.ended).toMatchObject({ result: 'aborted', unused: false })
  })
})

describe('an answer that is too long to be read', () => {
  const long = (more: string) =>
    `{"model":"dear","text":"${'\\"usage\\":{\\"prompt_tokens\\":9}'.repeat(5_000)}"${more}}`

  it('is counted by the usage at its end', async () => {
    setting.upstream.script = json(long(', "usage" : {"prompt_tokens":3,"completion_tokens":4}, "tier":"x"'))
    const { usage, responseModel } = await ask()
    expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 4 })
    expect(responseModel, 'whose price is paid').toBe('dear')
  })

  it('and says nothing of its usage is counted by its bytes, up to what was asked for', async () => {
    setting.upstream.script = json(long(''))
    for (const [most, counted] of [
      [100, 100],
      [1_000_000, Math.ceil(long('').length / 4)],
    ] as const) {
      const body = `{"model":"m","max_tokens":${String(most)}}`
      expect(await ask(body)).toMatchObject({ usage: undefined, estimatedOutputTokens: counted })
    }
    expect((await ask('{"model":"m"}', '/openai/v1/embeddings')).estimatedOutputTokens).toBe(0)
  })
})

describe('an error inside an answer that says it is a good one', () => {
  const error = 'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'

  it('is passed on as it is, and the call has failed', async () => {
    const frames = [chunk('a'), error, DONE]
    setting.upstream.script = stream(frames)
    const answer = await setting.send(CHAT, '{"model":"m","stream":true,"messages":[]}')
    expect(await answer.text()).toBe(frames.join(''))
    expect((await setting.metered.at(-1)!.ended).result).toBe('failed')
  })

  it('fails a whole answer too', async () => {
    setting.upstream.script = json('{"error":{"message":"overloaded","code":502}}')
    expect((await ask()).result).toBe('failed')
  })
})

it('a stream is as long as it becomes, whatever length the provider said', async () => {
  const frames = [chunk('a', { usage: null }), 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n', DONE]
  const bytes = Buffer.from(frames.join(''))
  setting.upstream.script = (res) =>
    void res
      .writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Length': bytes.length })
      .end(bytes)
  const answer = await setting.send(CHAT, '{"model":"m","stream":true}')
  expect(answer.headers.get('content-length')).toBeNull()
  expect(await answer.text()).toBe(chunk('a') + DONE)
})

it('what was reserved is given back, whatever fails before anything is sent', async () => {
  const ends: CallOutcome[] = []
  const never = () => Promise.reject(new Error('asked all the same'))
  const relay = createRelay({
    keys: { open: never },
    upstream: { send: never },
    routing: { attempts: () => Promise.reject(new Error('asked all the same')) as never },
    cache: { keyOf: () => undefined, get: () => undefined, set: () => undefined },
    meter: {
      enter: never,
      begin: () => Promise.resolve({ headers: {}, end: (outcome) => void ends.push(outcome) }),
    },
    loop: createLoop('llm-proxy'),
    config: {} as RelayOptions['config'], // nothing of it is asked for
  })
  // Where telemetry wants to know the place of a provider that has none.
  const provider = { name: 'broken', telemetryName: 'broken', baseUrl: 'nowhere' }
  const call = { provider, operation: 'chat', headers: {}, signal: new AbortController().signal }
  await expect(relay.relay(call as RelayCall, {} as Recipient)).rejects.toThrow('Invalid URL')
  expect(ends).toMatchObject([{ result: 'failed', unused: true }])
})
