import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chunk, DONE, stream } from './fixtures/scripted-upstream.ts'
import { turns } from './fixtures/turns.ts'
import { CALLERS_TOKEN, errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const PATH = '/openai/v1/chat/completions'
const BODY = '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},"messages":[]}'

it('a stream of 10,000 chunks arrives whole', async () => {
  const chunks = Array.from({ length: 10_000 }, (_, at) => chunk(String(at)))
  setting.upstream.script = stream([...chunks, DONE])
  const answer = await setting.send(PATH, BODY)
  expect(await answer.text()).toBe(chunks.join('') + DONE)
})

it('each event comes as soon as it is there, the head before the first of them', async () => {
  let next: (text: string) => void = () => undefined
  setting.upstream.script = (res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    next = (text) => res.write(text)
    res.once('close', () => undefined)
  }
  const leaving = new AbortController()
  const reader = (await setting.send(PATH, BODY, { signal: leaving.signal })).body!.getReader()
  for (const text of ['a', 'b', 'c']) {
    next(chunk(text))
    expect(Buffer.from((await reader.read()).value).toString()).toBe(chunk(text))
  }
  leaving.abort()
})

it('a 429 is not held back to be looked into where nothing is tried again', async () => {
  setting.upstream.script = (res) =>
    void res.writeHead(429, { 'Content-Type': 'application/json' }).write('{"error":')
  const leaving = new AbortController()
  const answer = await setting.send(PATH, '{"model":"m"}', { signal: leaving.signal })
  expect(answer.status).toBe(429)
  leaving.abort()
})

it('a reader that is slow holds the provider back: what waits here is bounded, and nothing is lost', async () => {
  const piece = chunk('x'.repeat(64 * 1024))
  const total = 1_500
  let sent = 0
  const blocked = Promise.withResolvers<true>()
  setting.upstream.script = async (res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (; sent < total; sent++) {
      if (res.write(piece)) continue
      blocked.resolve(true)
      await once(res, 'drain')
    }
    res.end(DONE)
  }
  const asked = request(setting.url + PATH, {
    method: 'POST',
    headers: { Authorization: `Bearer ${CALLERS_TOKEN}`, 'Content-Type': 'application/json' },
  }).end(BODY)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  await blocked.promise
  // In so many turns an answer that nothing holds back is here whole.
  await turns(5_000)
  let read = 0
  let waiting = 0
  for await (const bytes of answer as AsyncIterable<Buffer>) {
    waiting = Math.max(waiting, sent * piece.length - read)
    read += bytes.length
  }
  expect(read).toBe(total * piece.length + DONE.length)
  // The buffers of two connections and of this client, and not the 98 MB of the answer.
  expect(waiting).toBeLessThan(24 * 1024 ** 2)
})

it('a provider that completes no connection is 504 after the time for that', async () => {
  const silent = createServer((socket) => void socket.resume().on('error', () => undefined))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  // TCP is there, but no word of TLS.
  const other = await startRelaySetting({
    PROVIDER_URLS: `openai=https://127.0.0.1:${String(port)}`,
    UPSTREAM_CONNECT_TIMEOUT_MS: '50',
  })
  const answer = await other.send(PATH, BODY)
  expect(answer.status).toBe(504)
  expect((await errorOf(answer)).message).toBe('openai could not be connected to in time.')
  await other.close()
  await new Promise((resolve) => silent.close(resolve))
})
