import { afterAll, beforeAll, expect, it } from 'vitest'
import { json } from './fixtures/scripted-upstream.ts'
import { PROVIDER_KEY, startLlmSetting } from './llm-setting.ts'
import type { LlmSetting } from './llm-setting.ts'

let setting: LlmSetting
let keyId: string
beforeAll(async () => {
  setting = await startLlmSetting({ REQUEST_TIMEOUT_MS: '500', KEY_CHECK_TIMEOUT_MS: '60000' })
  const { body } = await setting.post('/keys', { provider: 'openai', key: PROVIDER_KEY, name: 'checked' })
  keyId = (body as { id: string }).id
})
afterAll(() => setting.close())

const model = 'openai/gpt-x'
it.each<[string, object]>([
  ['/llm', { model, prompt: 'Think.' }],
  ['/execute', { operation: 'summarize', input: { model, text: 'Long.' } }],
])('%s waits for a model as long as every other path, and not as for all else', async (path, body) => {
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>()
  setting.upstream.script = async (res, { method }) => {
    if (method === 'GET') return
    await released
    const message = { role: 'assistant', content: '1. Short.' }
    json(JSON.stringify({ choices: [{ message, finish_reason: 'stop' }] }))(res)
  }
  const came = setting.upstream.nextRequest()
  const answer = setting.stream(path, body)
  await came
  // Given up when the usual time is over, by the same clock.
  expect((await setting.post(`/keys/${keyId}/check`, {})).text).toMatch(/unreachable|timeout/)
  release(undefined)
  expect((await answer).status).toBe(200)
})
