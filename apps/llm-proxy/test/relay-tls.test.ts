import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuthority } from '@waybill/dev-env/testing'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { errorOf, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let server: Server
let setting: RelaySetting
/** How many requests came through. */
let seen = 0
let answer: RequestListener
beforeEach(async () => {
  seen = 0
  const dates = { from: Date.now() - 60_000, until: Date.now() + 3_600_000 }
  const authority = await createAuthority(dates)
  const names = [{ type: 'ip' as const, value: '127.0.0.1' }]
  const { certificate, key } = await authority.issue({ commonName: 'provider', names, ...dates })
  server = createServer({ cert: certificate, key }, (req, res) => {
    seen += 1
    answer(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  setting = await startRelaySetting({ PROVIDER_URLS: `openai=https://127.0.0.1:${String(port)}` })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await setting.close()
  await new Promise((resolve) => server.close(resolve))
})

const ask = () => setting.send('/openai/v1/chat/completions', '{"model":"m","messages":[]}')

it('a provider whose certificate nobody trusts has got nothing, and of the call nothing was used', async () => {
  const refused = await ask()
  expect(refused.status).toBe(502)
  expect((await errorOf(refused)).message).toBe('openai cannot be reached.')
  expect(setting.metered.at(-1)!.ends).toMatchObject([{ result: 'failed', unused: true }])
  expect(seen).toBe(0)
})

it('once the handshake is over the request may be there, on a new connection and on one used before', async () => {
  // There is no other way to trust a certificate that was made just now.
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
  let connections = 0
  server.on('secureConnection', () => (connections += 1))
  const reset: RequestListener = (req) => void req.socket.destroy()
  answer = reset
  await ask()
  expect(setting.metered.at(-1)!.ends).toMatchObject([{ result: 'failed', unused: false }])

  answer = (_req, res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}')
  await (await ask()).text()
  answer = reset
  await ask()
  expect(setting.metered.at(-1)!.ends).toMatchObject([{ result: 'failed', unused: false }])
  expect([seen, connections]).toEqual([3, 2])
})
