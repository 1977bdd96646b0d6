import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRelaySetting } from './relay-setting.ts'
import type { RelaySetting } from './relay-setting.ts'

let setting: RelaySetting
beforeAll(async () => {
  setting = await startRelaySetting()
})
afterAll(() => setting.close())

const FILE = '/openai/v1/files/f-1'
const ENCODED = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }

describe('an answer that has no body is not decoded, whatever encoding its head speaks of', () => {
  it.each([
    ['HEAD', 200, {}],
    ['HEAD', 200, { 'Content-Encoding': 'rot13' }],
    ['DELETE', 204, {}],
    ['GET', 304, { ETag: '"1"' }],
    ['DELETE', 200, { 'Content-Length': '0' }],
    ['HEAD', 404, {}],
  ])('%s, %i %o', async (method, status, headers) => {
    setting.upstream.script = (res) => void res.writeHead(status, { ...ENCODED, ...headers }).end()
    const answer = await setting.send(FILE, undefined, { method })
    expect([answer.status, await answer.text()]).toEqual([status, ''])
    expect(answer.headers.get('content-encoding')).toBeNull()
    expect((await setting.metered.at(-1)!.ended).result).toBe(status < 400 ? 'answered' : 'failed')
  })

  it('HEAD does not tell the length of what GET gets decoded', async () => {
    const packed = gzipSync('{"id":"f-1"}')
    setting.upstream.script = (res, { method }) =>
      void res
        .writeHead(200, { ...ENCODED, 'Content-Length': packed.length })
        .end(method === 'HEAD' ? undefined : packed)
    expect(await (await setting.send(FILE)).text()).toBe('{"id":"f-1"}')
    const told = await setting.send(FILE, undefined, { method: 'HEAD' })
    expect([told.status, told.headers.get('content-length')]).toEqual([200, null])
  })

  it('HEAD of what is not encoded tells its length', async () => {
    setting.upstream.script = (res) => void res.writeHead(200, { 'Content-Length': '12' }).end()
    const told = await setting.send(FILE, undefined, { method: 'HEAD' })
    expect(told.headers.get('content-length')).toBe('12')
  })
})

describe.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['gzip, gzip', (text: string) => gzipSync(gzipSync(text))],
])('a body that says it is %s and does not say how long', (encoding, encode) => {
  const headers = { ...ENCODED, 'Content-Encoding': encoding }
  /** Some bytes and the end of the body, or the end of the connection before the body's. */
  const answer = async (bytes: Buffer, end: 'end' | 'destroy') => {
    setting.upstream.script = async (res) => {
      res.writeHead(200, headers).flushHeaders()
      await new Promise<void>((resolve) => res.write(bytes, () => resolve()))
      res[end]()
    }
    const { status } = await setting.send(FILE)
    return [status, (await setting.metered.at(-1)!.ended).result]
  }

  it('and ends without a byte is empty', async () => {
    setting.upstream.script = (res) => {
      res.writeHead(200, headers).flushHeaders()
      res.end()
    }
    const told = await setting.send(FILE)
    expect([told.status, await told.text()]).toEqual([200, ''])
    expect((await setting.metered.at(-1)!.ended).result).toBe('answered')
  })

  it('and is cut has failed, by its connection before its first byte or by its end after it', async () => {
    expect(await answer(Buffer.alloc(0), 'destroy')).toEqual([502, 'failed'])
    expect(await answer(encode('{"id":"f-1"}').subarray(0, 1), 'end')).toEqual([502, 'failed'])
  })
})
