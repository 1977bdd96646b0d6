import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { CALLERS_TOKEN, errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting({ RELAY_BODY_LIMIT_BYTES: '200000', RELAY_MAX_JSON_VALUES: '1000' })
})
afterAll(() => setting.close())
afterEach(() => {
  setting.fill(false)
})

const CHAT = '/openai/v1/chat/completions'
const PATHS = [CHAT, '/v1/chat/completions', '/openai/v1/files'] as const
const withText = (length: number) => `{"model":"openai/m","text":"${'x'.repeat(length)}"}`
const LARGE = withText(70_000)

/** The first line of the answer to a request of which only the head has been sent, and how many places are held then. */
async function answerToHead(path: string, ...more: string[]): Promise<[line: string, places: number]> {
  const socket = connect(Number(new URL(setting.url).port), '127.0.0.1')
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: here',
    `Authorization: Bearer ${CALLERS_TOKEN}`,
    `Content-Type: ${path.endsWith('files') ? 'application/octet-stream' : 'application/json'}`,
    'Content-Length: 70000',
    ...more,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  const places = setting.places()
  socket.destroy()
  return [answer.toString().split('\r\n')[0]!, places]
}

describe('a large body', () => {
  it.each(PATHS)('is not read for who has no place: POST %s', async (path) => {
    setting.fill(true)
    expect(await answerToHead(path)).toEqual([expect.stringContaining('429'), 0])
  })

  it.each(PATHS)('that stalls has no place behind our own 504: POST %s', async (path) => {
    const answered = await answerToHead(path, 'X-Request-Timeout-Ms: 300')
    expect(answered).toEqual([expect.stringContaining('504'), 0])
  })

  it('of no length that is told is no small one', async () => {
    setting.fill(true)
    const init: RequestInit & { duplex: 'half' } = { duplex: 'half' }
    const body = new Blob(['{"model":"m"}']).stream()
    expect((await setting.send(CHAT, body, init)).status).toBe(429)
  })

  it.each(PATHS)('has its place until it is over, and counts as one call: POST %s', async (path) => {
    const seen: number[] = []
    setting.upstream.script = (res) => {
      seen.push(setting.places())
      json('{}')(res)
    }
    expect((await setting.send(path, LARGE)).status).toBe(200)
    expect([...seen, setting.places()]).toEqual([1, 0])
    expect(setting.metered.at(-1)!.call).toMatchObject({ hasEntered: true })
  })

  it('gives its place back when it is none', async () => {
    for (const [body, status] of [
      [LARGE.slice(1), 400],
      [withText(300_000), 413],
    ] as const) {
      expect((await setting.send(CHAT, body)).status).toBe(status)
      expect(setting.places()).toBe(0)
    }
  })
})

it('a small body takes all that it needs in one step', async () => {
  setting.fill(true)
  setting.upstream.script = json('{}')
  expect((await setting.send(CHAT, withText(10))).status).toBe(200)
  expect(setting.metered.at(-1)!.call).toMatchObject({ hasEntered: false })
})

describe('lists and objects in one another', () => {
  const deep = (depth: number) => `{"model":"m","a":${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}}`

  it.each([CHAT, '/openai/v1/files', '/v1/chat/completions'])(
    'go to no provider beyond RELAY_MAX_JSON_DEPTH: POST %s',
    async (path) => {
      const sent = setting.upstream.seen.length
      const answer = await setting.send(path, deep(64))
      expect(answer.status).toBe(400)
      expect((await errorOf(answer)).message).toContain('more than 128 deep')
      expect(setting.upstream.seen.length).toBe(sent)
    },
  )

  it('go on as they are up to there, whatever stands in a text or one after the other', async () => {
    setting.upstream.script = json('{}')
    for (const body of [deep(63), `{"a":[${'[[]],'.repeat(200)}1],"text":"${'[{'.repeat(500)}"}`])
      expect((await setting.send(CHAT, body)).status).toBe(200)
  })
})

describe('a body that would be far larger parsed than it is', () => {
  const list = (element: string, count: number) =>
    `{"model":"m","a":[${Array.from({ length: count }, () => element).join(',')}]}`
  it.each([
    ['objects', list('{}', 1_000)],
    ['numbers', list('1', 1_100)],
  ])('is refused before it is parsed: %s', async (_, body) => {
    const answer = await setting.send(CHAT, body)
    expect(answer.status).toBe(413)
    expect((await errorOf(answer)).message).toContain('1000 JSON values')
  })

  it('is none when all of it is text', async () => {
    setting.upstream.script = json('{}')
    const body = JSON.stringify({ model: 'm', text: '{},[],"\\"'.repeat(5_000) })
    expect((await setting.send(CHAT, body)).status).toBe(200)
  })
})
