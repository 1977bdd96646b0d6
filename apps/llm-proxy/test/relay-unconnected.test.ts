import { afterAll, beforeAll, expect, it } from 'vitest'
import { json, startScriptedUpstream } from './fixtures/scripted-upstream.ts'
import type { ScriptedUpstream } from './fixtures/scripted-upstream.ts'
import { startKeyedSetting } from './keyed-setting.ts'
import type { KeyedSetting } from './keyed-setting.ts'

let upstream: ScriptedUpstream
let setting: KeyedSetting
beforeAll(async () => {
  upstream = await startScriptedUpstream()
  const environment = { UPSTREAM_MAX_SOCKETS: '1', UPSTREAM_CONNECT_TIMEOUT_MS: '500' }
  setting = await startKeyedSetting({ openai: upstream.url }, environment)
  await setting.addKey({ provider: 'openai', key: 'sk-provider-key-of-alice-0123456789' })
})
afterAll(async () => {
  await upstream.close()
  await setting.close()
})

const ask = (signal?: AbortSignal) =>
  setting.send('/openai/v1/chat/completions', '{"model":"m","messages":[]}', { ...(signal && { signal }) })

it('a call that got no connection in time may be made again by the SDK: nothing was sent, nothing is paid for', async () => {
  upstream.script = (res) => (upstream.seen.length === 1 ? undefined : json('{}')(res))
  const holding = new AbortController()
  const arrived = upstream.nextRequest()
  const held = ask(holding.signal).catch(() => undefined)
  await arrived

  const late = await ask()
  expect([late.status, late.headers.get('x-should-retry')]).toEqual([504, null])
  expect(await late.text()).toContain('openai could not be connected to in time.')
  expect(upstream.seen).toHaveLength(1)
  holding.abort()
  await held
})
