import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokensOf } from '../src/usage/used-tokens.ts'
import { json, stream } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const RESPONSES = '/openai/v1/responses'
const LONG_BOOK = { model: 'm', input: 'write a long book', max_output_tokens: 100_000 }
const queued = json('{"id":"resp_1","object":"response","status":"queued","output":[],"usage":null}')
const event = (type: string, more: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, response: { id: 'resp_1', object: 'response', ...more } })}\n\n`

async function asked(path: string, body: object) {
  const answer = await setting.send(path, JSON.stringify(body))
  await answer.text().catch(() => undefined)
  const { call, ended } = setting.metered.at(-1)!
  const { output, estimated } = tokensOf(call, await ended)
  return { unmetered: call.unmetered, output, estimated }
}

describe('an answer that comes later, to another request', () => {
  const REFUSABLE = { unmetered: true, output: 100_000, estimated: true }

  it.each([
    [RESPONSES, { background: true }],
    ['/v1/responses', { model: 'openai/m', background: true }],
    [RESPONSES, { background: true, stream: true }],
    ['/openai/v1/chat/completions', { deferred: true }],
    ['/openai/async/chat/completions', {}],
  ])('cannot be counted, and is taken to use all that was reserved: %s %o', async (path, more) => {
    setting.upstream.script = queued
    expect(await asked(path, { ...LONG_BOOK, ...more })).toEqual(REFUSABLE)
  })

  it('or of which the stream breaks off: the work goes on', async () => {
    setting.upstream.script = stream([event('response.created', { usage: null })], { then: 'cut' })
    expect(await asked(RESPONSES, { ...LONG_BOOK, background: true, stream: true })).toEqual(REFUSABLE)
  })

  it('is counted as the provider says, where it says so after all', async () => {
    const usage = { input_tokens: 3, output_tokens: 70 }
    setting.upstream.script = stream([event('response.completed', { status: 'completed', usage })])
    expect(await asked(RESPONSES, { ...LONG_BOOK, background: true, stream: true })).toEqual({
      ...{ unmetered: true, output: 70, estimated: false },
    })
  })

  it.each([400, 200])(
    'uses nothing where the provider says that it failed, with status %d',
    async (status) => {
      setting.upstream.script = json('{"error":{"message":"no"}}', { status })
      expect(await asked(RESPONSES, { ...LONG_BOOK, background: true })).toMatchObject({ output: 0 })
    },
  )

  it('counts when the client leaves before it is answered', async () => {
    setting.upstream.script = () => undefined
    const leaving = new AbortController()
    const arrived = setting.upstream.nextRequest()
    const body = JSON.stringify({ ...LONG_BOOK, background: true })
    const left = setting.send(RESPONSES, body, { signal: leaving.signal }).catch(() => undefined)
    await arrived
    leaving.abort()
    await left
    const { call, ended } = setting.metered.at(-1)!
    expect(tokensOf(call, await ended)).toMatchObject({ output: 100_000, estimated: true })
  })
})

it.each([{}, { background: false }, { background: null }])(
  'an answer that is not to come later is counted as it is: %o',
  async (more) => {
    setting.upstream.script = queued
    expect(await asked(RESPONSES, { ...LONG_BOOK, ...more })).toMatchObject({ unmetered: false, output: 0 })
  },
)
