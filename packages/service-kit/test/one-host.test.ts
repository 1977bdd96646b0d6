import { route } from '../src/index.ts'
import { expect, test } from 'vitest'
import { anybody, dial, stand } from './stand.ts'

const routes = [route('GET', '/things', { auth: anybody, summary: 'Things', handle: () => ({ things: [] }) })]

test.each(['Host: other.example', 'host: a', 'HOST: a'])(
  'a request with two Hosts is refused (RFC 9112 section 3.2), the second being %s',
  async (second) => {
    await using here = await stand(routes)
    const line = dial(here.port)
    line.write(`GET /things HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${second}\r\n\r\n`)
    const answer = await line.ended
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('"code":"bad_request"')
    expect(answer).toMatch(/X-Request-ID: [\w-]{36}/i)
  },
)

test('a value that looks like a second Host is none', async () => {
  await using here = await stand(routes)
  const line = dial(here.port)
  line.write('GET /things HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Note: host\r\n\r\n')
  expect(await line.ended).toMatch(/^HTTP\/1\.1 200 /)
})
