import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunk, head, stream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

type Script = ScriptedUpstream['script']

/** How far an answer gets before the client goes. */
const STAGES: [stage: string, stream: Script, whole: Script][] = [
  ['before the head', () => undefined, () => undefined],
  [
    'before the first byte',
    head({ 'Content-Type': 'text/event-stream' }),
    head({ 'Content-Type': 'application/json' }),
  ],
  [
    'midway',
    stream([chunk('one '), chunk('two ')], { then: 'hang' }),
    (res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).write('{"half":'),
  ],
]

const PATHS = [
  ['/openai/v1/chat/completions', 'gpt-x'],
  ['/openai/v1/responses', 'gpt-x'],
  ['/anthropic/v1/messages', 'claude-x'],
  ['/v1/chat/completions', 'openai/gpt-x'],
  ['/v1/embeddings', 'mistral/embed'],
] as const

describe.each(PATHS)('a client of %s that goes away', (path, model) => {
  it.each(
    STAGES.flatMap(([stage, streaming, whole]) => [
      { stage, kind: 'streaming', script: streaming },
      { stage, kind: 'whole', script: whole },
    ]),
  )('$stage of a $kind answer ends the request to the provider', async ({ stage, kind, script }) => {
    setting.upstream.script = script
    const leaving = new AbortController()
    const arrived = setting.upstream.nextRequest()
    const body = JSON.stringify({ model, stream: kind === 'streaming', messages: [] })
    const asked = setting.send(path, body, { signal: leaving.signal })
    asked.catch(() => undefined)
    const { aborted } = await arrived
    if (kind === 'streaming' && stage !== 'before the head') {
      const reader = (await asked).body!.getReader()
      if (stage === 'midway') await reader.read()
    } else if (stage === 'midway') await (await asked).body!.getReader().read()
    leaving.abort()
    await aborted
    const metered = setting.metered.at(-1)!
    expect(await metered.ended).toMatchObject({ result: 'aborted' })
    expect(metered.ends).toHaveLength(1)
  })
})

it('what had been streamed is counted, estimated, when its reader goes', async () => {
  setting.upstream.script = stream([chunk('one '), chunk('two '), chunk('six ')], { then: 'hang' })
  const leaving = new AbortController()
  const body = '{"model":"gpt-x","stream":true,"messages":[]}'
  const answer = await setting.send('/openai/v1/chat/completions', body, { signal: leaving.signal })
  let text = ''
  for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    if (text.includes('"six "')) break
  }
  leaving.abort()
  const outcome = await setting.metered.at(-1)!.ended
  expect(outcome).toMatchObject({
    provider: 'openai',
    model: 'gpt-x',
    keyId: 'openai-default',
    usage: undefined,
  })
  expect(outcome.estimatedOutputTokens).toBe(3)
})
