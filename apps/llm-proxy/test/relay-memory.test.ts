import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chunk } from './fixtures/scripted-upstream.ts'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
let collect: () => void
beforeAll(async () => {
  setFlagsFromString('--expose-gc')
  collect = runInNewContext('gc') as () => void // what the flag makes
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const MB = 1_000_000

/** The bytes in buffers that somebody still holds. */
async function held(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise(setImmediate)
  }
  return process.memoryUsage().arrayBuffers
}

it('nobody holds a body any more when its answer has begun, however long that takes', async () => {
  setting.upstream.script = (res, request) => {
    setting.upstream.seen.length = 0
    request.body = Buffer.alloc(0)
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(chunk('a'))
  }
  const before = await held()
  const leaving = new AbortController()
  const ask = () => {
    // With a model to cut off and usage to ask for, so that what is sent is another buffer.
    const body = `{"model":"openai/m","stream":true,"messages":"${'x'.repeat(20 * MB)}"}`
    return setting.send('/v1/chat/completions', body, { signal: leaving.signal })
  }
  const answer = await ask()
  // The client's own is one of them; it was three.
  expect((await held()) - before).toBeLessThan(30 * MB)
  leaving.abort()
  await answer.text().catch(() => undefined)
})
