import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { route } from '../src/index.ts'
import { anybody, ask, dial, stand } from './stand.ts'
import type { Stand } from './stand.ts'

const MB = 1024 ** 2
const store = route('POST', '/v1/documents', {
  auth: anybody,
  summary: 'Store',
  input: { body: z.object({ text: z.string() }) },
  handle: ({ body }) => ({ chars: body.text.length }),
})
const upload = route('POST', '/v1/uploads', {
  auth: anybody,
  summary: 'Upload',
  bodyType: 'stream',
  bodyLimitBytes: 10 * MB,
  async handle({ req }) {
    let bytes = 0
    for await (const chunk of req) bytes += (chunk as Buffer).length
    return { bytes }
  },
})
const impatient = route('POST', '/v1/impatient', {
  auth: anybody,
  summary: 'Answers without reading',
  bodyType: 'stream',
  handle: ({ req }) => {
    req.once('data', () => req.pause())
    return { ok: true }
  },
})

function head(path: string, ...lines: string[]): string {
  return [`POST ${path} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', ...lines, '', ''].join('\r\n')
}

describe('a body that is too large is refused with 413', () => {
  test.each(['/v1/documents', '/v1/uploads'])(
    'on %s when its declared length says so, unread',
    async (path) => {
      await using here = await stand([store, upload])
      const socket = dial(here.port)
      socket.write(head(path, `Content-Length: ${String(50 * MB)}`))
      expect(await socket.answer).toMatch(/^HTTP\/1.1 413 /)
      socket.hangUp()
    },
  )

  test('as soon as a body of unknown length passes the limit, without waiting for its end', async () => {
    await using here = await stand([store])
    const socket = dial(here.port)
    socket.write(head('/v1/documents', 'Transfer-Encoding: chunked'))
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let sent = 0; sent <= 20; sent += 1) socket.write(chunk) // and never the last chunk
    expect(await socket.answer).toMatch(/^HTTP\/1.1 413 /)
    socket.hangUp()
  })

  test.each([true, false])(
    'and a client that sends all of its 50 MB still reads it (declared: %s)',
    async (declared) => {
      await using here = await stand([store])
      const bytes = new Uint8Array(50 * MB).fill(97)
      const body = declared ? bytes : new Blob([bytes]).stream()
      const answer = await ask(`${here.url}/v1/documents`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
        ...(!declared && { duplex: 'half' }),
      })
      expect({ status: answer.status, code: answer.body.code }).toEqual({
        status: 413,
        code: 'payload_too_large',
      })
      expect(answer.body.detail).toContain('1048576')
      expect(answer.body.request_id).toMatch(/.{36}/)
    },
  )

  test('when it only becomes too large unpacked', async () => {
    await using here = await stand([store])
    const body = gzipSync(JSON.stringify({ text: 'x'.repeat(5 * MB) }))
    const { status } = await ask(`${here.url}/v1/documents`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
      body,
    })
    expect(body.length).toBeLessThan(MB)
    expect(status).toBe(413)
  })
})

describe('a body that is left unread', () => {
  test('does not block the connection for the next request', async () => {
    await using here = await stand([impatient])
    const socket = dial(here.port)
    socket.write(head('/v1/impatient', `Content-Length: ${String(4 * 65_536)}`))
    const body = Buffer.alloc(65_536)
    socket.write(body)
    expect(await socket.answer).toMatch(/^HTTP\/1.1 200 /)
    const next = socket.next()
    for (let sent = 1; sent < 4; sent += 1) socket.write(body)
    socket.write('GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await next).toMatch(/^HTTP\/1.1 404 /)
    socket.hangUp()
  })
})

describe('a request that cannot be read at all', () => {
  const refused = async (here: Stand, text: string): Promise<string> => {
    const socket = dial(here.port)
    socket.write(text)
    return socket.ended
  }

  test.each([
    [431, 'headers_too_large', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`],
    [400, 'bad_request', 'NONSENSE\r\n\r\n'],
    [
      400,
      'bad_request',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
  ])('is a problem too: %i %s', async (status, code, text) => {
    await using here = await stand([store])
    const answer = await refused(here, text)
    expect(answer).toContain(`HTTP/1.1 ${String(status)} `)
    expect(answer).toContain('application/problem+json')
    const body = JSON.parse(answer.split('\r\n\r\n')[1] ?? '') as Record<string, unknown>
    expect(body).toMatchObject({ status, code })
    expect(body.request_id).toMatch(/^[0-9a-f-]{36}$/)
  })
})
