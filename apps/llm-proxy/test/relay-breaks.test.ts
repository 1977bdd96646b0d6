import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pump } from '../src/relay/pump.ts'
import { CapturedAnswer } from '../src/vendors/captured-answer.ts'
import { chunk, DONE, head, json, stream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { CALLERS_TOKEN, errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting({
    UPSTREAM_FIRST_BYTE_TIMEOUT_MS: '200',
    UPSTREAM_IDLE_TIMEOUT_MS: '200',
    UPSTREAM_TOTAL_TIMEOUT_MS: '2000',
  })
})
afterAll(() => setting.close())

const CHAT = '/openai/v1/chat/completions'
const STREAM = '{"model":"gpt-x","stream":true,"messages":[]}'
const WHOLE = '{"model":"gpt-x","messages":[]}'

/** All that comes until the answer ends, and whether it ended as HTTP says that an answer ends. */
async function readToEnd(answer: Response): Promise<{ text: string; clean: boolean }> {
  let text = ''
  try {
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) text += piece
    return { text, clean: true }
  } catch {
    return { text, clean: false }
  }
}

/** One that speaks for ever, a little at a time. */
const drip: ScriptedUpstream['script'] = (res) => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const timer = setInterval(() => res.write(chunk('x')), 20)
  res.once('close', () => {
    clearInterval(timer)
  })
}

describe('a stream that has begun', () => {
  it.each([
    ['is cut', stream([chunk('a'), 'data: {"id":'], { then: 'cut' }), 'upstream_failed', /broke off/],
    ['stalls', stream([chunk('a')], { then: 'hang' }), 'timeout', /nothing for 200 ms/],
    ['ends without its end mark', stream([chunk('a')]), 'upstream_failed', /ended its stream midway/],
    ['ends before it has said anything', stream([]), 'upstream_failed', /ended its stream midway/],
    ['takes too long as a whole', drip, 'timeout', /not complete in time/],
  ])('and %s ends with an error, and never as if it were whole', async (_, script, code, message) => {
    setting.upstream.script = script
    const { text, clean } = await readToEnd(await setting.send(CHAT, STREAM))
    expect(clean).toBe(false)
    const frames = text.split('\n\n')
    expect(frames.pop()).toBe('')
    const last = JSON.parse(frames.at(-1)!.replace(/^data: /, ''))
    expect(last.error).toMatchObject({ code, message: expect.stringMatching(message), type: 'server_error' })
    // What had come is there, and nothing of a half event.
    expect(
      frames.slice(0, -1).every((frame) => `${frame}\n\n` === chunk('a') || `${frame}\n\n` === chunk('x')),
    ).toBe(true)
    expect((await setting.metered.at(-1)!.ended).result).toBe('failed')
    expect(setting.metered.at(-1)!.ends).toHaveLength(1)
  })

  it('makes OpenAI’s SDK throw when it is cut', async () => {
    setting.upstream.script = stream([chunk('a')], { then: 'cut' })
    const client = new OpenAI({ baseURL: `${setting.url}/openai/v1`, apiKey: CALLERS_TOKEN, maxRetries: 0 })
    const reading = async () => {
      const chunks = await client.chat.completions.create({ model: 'gpt-x', messages: [], stream: true })
      for await (const piece of chunks) expect(piece.choices[0]!.delta.content).toBe('a')
    }
    await expect(reading()).rejects.toThrow(/broke off/)
  })

  it('has an error in the shape of its protocol: Anthropic, and OpenAI’s responses', async () => {
    setting.upstream.script = stream(['event: ping\ndata: {"type":"ping"}\n\n'], { then: 'cut' })
    const messages = await readToEnd(await setting.send('/anthropic/v1/messages', STREAM))
    expect(messages.text).toMatch(/\n\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error",/)
    const responses = await readToEnd(await setting.send('/openai/v1/responses', STREAM))
    expect(responses.text).toMatch(/\n\nevent: error\ndata: \{"type":"error","code":"upstream_failed",/)
    const delta = (number: number) =>
      `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":${String(number)}}\n\n`
    setting.upstream.script = stream([delta(6) + delta(7)], { then: 'cut' })
    const numbered = await readToEnd(await setting.send('/openai/v1/responses', STREAM))
    expect(numbered.text).toMatch(/"sequence_number":8,"error":\{[^}]+\}\}\n\n$/)
  })

  it('is whole when its last event lacks the empty line', async () => {
    const text = `${chunk('a')}data: [DONE]`
    setting.upstream.script = stream([text])
    expect(await readToEnd(await setting.send(CHAT, STREAM))).toEqual({ text, clean: true })
  })

  it('is whole once its end mark has come, whatever happens to the connection behind it', async () => {
    setting.upstream.script = stream([chunk('a') + DONE], { then: 'cut' })
    expect(await readToEnd(await setting.send(CHAT, STREAM))).toEqual({
      text: chunk('a') + DONE,
      clean: true,
    })
  })
})

describe('a whole answer', () => {
  it.each([
    ['no head in time', () => undefined, 504, 'timeout'],
    ['a connection that is cut before the head', (res) => void res.destroy(), 502, 'upstream_failed'],
    [
      'a head, and then a cut',
      (res) =>
        void res
          .writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '9' })
          .write('', () => res.destroy()),
      502,
      'upstream_failed',
    ],
    [
      'a head, and then nothing',
      head({ 'Content-Type': 'application/json', 'Content-Length': '9' }),
      504,
      'timeout',
    ],
    [
      'a page of some server in between',
      (res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Welcome</h1>'),
      502,
      'upstream_failed',
    ],
    [
      'a status that there is not',
      (res) => void res.socket!.write('HTTP/1.1 099 Odd\r\nContent-Type: application/json\r\n\r\n{'),
      502,
      'upstream_failed',
    ],
    ['what is no HTTP', (res) => void res.socket!.end('SSH-2.0-OpenSSH\r\n\r\n'), 502, 'upstream_failed'],
    [
      'a redirect',
      (res) => void res.writeHead(307, { Location: 'http://169.254.169.254/' }).end(),
      502,
      'upstream_failed',
    ],
  ] as [string, ScriptedUpstream['script'], number, string][])(
    'that is %s is an error in the shape of the protocol',
    async (_, script, status, code) => {
      for (const body of [WHOLE, STREAM]) {
        setting.upstream.script = script
        const answer = await setting.send(CHAT, body)
        expect(answer.status).toBe(status)
        expect(answer.headers.get('location')).toBeNull()
        // It may still be at work on it, and each time would be paid for.
        expect(answer.headers.get('x-should-retry')).toBe(status === 504 ? 'false' : null)
        const error = await errorOf(answer)
        expect(error).toEqual({
          code,
          type: 'server_error',
          param: null,
          message: expect.stringMatching(/^openai /),
        })
        expect(setting.metered.at(-1)!.ends).toMatchObject([{ result: 'failed' }])
      }
      const anthropic = await setting.send('/anthropic/v1/messages', WHOLE)
      expect(await anthropic.json()).toMatchObject({
        type: 'error',
        error: { message: expect.stringMatching(/^anthropic /) },
      })
    },
  )

  it('that breaks midway is cut, so that the half of it cannot pass for all of it', async () => {
    setting.upstream.script = (res) => {
      res.writeHead(200, { 'Content-Type': 'application/json' })
      res.write('{"half":', () => res.destroy())
    }
    expect(await readToEnd(await setting.send(CHAT, WHOLE))).toEqual({ text: '{"half":', clean: false })
  })
})

it('an answer that is not taken to anybody does not keep its connection', async () => {
  setting.upstream.script = (res) =>
    void res.socket!.write('HTTP/1.1 099 Odd\r\nContent-Type: application/json\r\n\r\n{')
  const arrived = setting.upstream.nextRequest()
  const answer = await setting.send(CHAT, WHOLE)
  expect(answer.status).toBe(502)
  await (
    await arrived
  ).aborted
})

it('an answer that broke before anybody read it is not waited for', async () => {
  const body = new PassThrough()
  body.destroy()
  await once(body, 'close')
  const patience = { idleMs: 60_000, deadline: Date.now() + 60_000, name: 'openai' }
  const told = await pump(body, new CapturedAnswer(), { ...patience, pass: (bytes) => bytes })
  expect(told?.code).toBe('upstream_failed')
}, 5_000)

it('a provider that nobody listens for is 502, and says nothing of where it is', async () => {
  const gone = await startRelaySetting({ PROVIDER_URLS: 'openai=http://127.0.0.1:9' })
  const answer = await gone.send(CHAT, WHOLE)
  expect(answer.status).toBe(502)
  expect(await answer.text()).not.toContain('127.0.0.1')
  await gone.close()
})

describe('an answer in an encoding that was not asked for', () => {
  const frames = chunk('a') + DONE
  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('%s is decoded on the way', async (encoding, encode) => {
    for (const [type, text, body] of [
      ['text/event-stream', frames, STREAM],
      ['application/json', '{"id":"x"}', WHOLE],
    ] as const) {
      const bytes = encode(text)
      setting.upstream.script = (res) => {
        const headers = { 'Content-Type': type, 'Content-Encoding': encoding, 'Content-Length': bytes.length }
        res.writeHead(200, headers).end(bytes)
      }
      const answer = await setting.send(CHAT, body)
      expect(answer.headers.get('content-encoding')).toBeNull()
      expect(await readToEnd(answer)).toEqual({ text, clean: true })
      expect(setting.upstream.seen.at(-1)!.headers['accept-encoding']).toBe('identity')
    }
  })

  it('that is none of what it says ends as an error', async () => {
    setting.upstream.script = json('{"plain":1}', { headers: { 'Content-Encoding': 'gzip' } })
    expect((await setting.send(CHAT, WHOLE)).status).toBe(502)
    setting.upstream.script = json('{"plain":1}', { headers: { 'Content-Encoding': 'rot13' } })
    expect((await setting.send(CHAT, WHOLE)).status).toBe(502)
  })

  it('is not taken off more than twice: a header can name thousands', async () => {
    for (const [times, status] of [
      [2, 200],
      [3, 502],
    ] as const) {
      const body = Array.from({ length: times }).reduce<Buffer>((bytes) => gzipSync(bytes), Buffer.from('{}'))
      const encoding = Array.from({ length: times }, () => 'gzip').join(', ')
      setting.upstream.script = (res) =>
        void res
          .writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': encoding })
          .end(body)
      expect((await setting.send(CHAT, WHOLE)).status).toBe(status)
    }
  })
})
