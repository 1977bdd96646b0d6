import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { CALLERS_TOKEN, startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

const LIMIT = 4096
const COOL_DOWN_MS = 60_000
/** Each test has a provider, and so a circuit, of its own. */
const PROVIDERS = ['openai', 'anthropic', 'mistral', 'openrouter']
const ROUTES = PROVIDERS.map((provider) => ({
  match: { provider },
  breaker: { failures: 2, cool_down_ms: COOL_DOWN_MS },
}))

/** A provider in trouble, which says so once it has all of the body. */
const upstream = createServer((req, res) => {
  req.on('error', () => undefined)
  req.resume().once('end', () => res.writeHead(500).end())
})
let folder: string
let setting: RelaySetting
beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${String((upstream.address() as AddressInfo).port)}`
  folder = await mkdtemp(join(tmpdir(), 'uploads-'))
  const path = join(folder, 'providers.json')
  await writeFile(path, JSON.stringify({ routes: ROUTES }))
  setting = await startRelaySetting({
    PROVIDER_URLS: PROVIDERS.map((name) => `${name}=${url}`).join(','),
    PROVIDERS_FILE: path,
    RELAY_BODY_LIMIT_BYTES: String(LIMIT),
  })
})
afterEach(() => {
  vi.useRealTimers()
})
afterAll(async () => {
  await setting.close()
  await new Promise((resolve) => upstream.close(resolve))
  await rm(folder, { recursive: true })
})

async function upload(provider: string, body: RequestInit['body'] = 'a file'): Promise<number> {
  const headers = { 'Content-Type': 'application/octet-stream' }
  const init = { headers, duplex: 'half' }
  return (await setting.send(`/${provider}/v1/files`, body, init as RequestInit)).status // fetch's types have no duplex
}

/** Its length is not told before, or it would not get as far as the relay. */
async function uploadTooLarge(provider: string): Promise<void> {
  const before = setting.metered.length
  expect(await upload(provider, new Blob(['x'.repeat(LIMIT + 1)]).stream())).toBe(413)
  expect(setting.metered).toHaveLength(before + 1)
}

/** The client leaves midway, when the provider has a part of it. */
async function breakOff(provider: string): Promise<void> {
  const { hostname, port } = new URL(setting.url)
  const client = connect(Number(port), hostname)
  const head = [
    `POST /${provider}/v1/files HTTP/1.1`,
    ...['Host: here', 'Content-Type: application/octet-stream', 'Content-Length: 1000'],
    `Authorization: Bearer ${CALLERS_TOKEN}`,
  ]
  const arrived = once(upstream, 'request')
  client.write(`${head.join('\r\n')}\r\n\r\na part of it`)
  await arrived
  client.destroy()
  expect(await setting.metered.at(-1)!.ended).toMatchObject({ result: 'aborted' })
}

describe.each([
  ['is larger than it may be', uploadTooLarge, ['openai', 'anthropic']],
  ['breaks off', breakOff, ['mistral', 'openrouter']],
] as const)('a client’s body that %s says nothing of the provider', (_, spoil, [closed, halfOpen]) => {
  it('it takes no failure away from those in a row, and adds none', async () => {
    expect(await upload(closed)).toBe(500)
    await spoil(closed)
    expect(await upload(closed), 'one failure is not two').toBe(500)
    expect(await upload(closed), 'two in a row are').toBe(503)
  })

  it('as the probe of a circuit it neither closes it nor opens it for longer', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    for (const status of [500, 500, 503]) expect(await upload(halfOpen)).toBe(status)
    vi.advanceTimersByTime(COOL_DOWN_MS)
    await spoil(halfOpen)
    expect(await upload(halfOpen), 'the next probe comes at once').toBe(500)
    expect(await upload(halfOpen), 'and opens it').toBe(503)
  })
})
