import { describe, expect, test } from 'vitest'
import { requestContext, route } from '../src/index.ts'
import { anybody, ask, dial, stand } from './stand.ts'

const echo = route('GET', '/v1/echo', {
  auth: anybody,
  summary: 'What the request context says',
  handle: ({ requestId }) => ({ requestId, seen: requestContext()?.requestId }),
})

describe('X-Request-ID', () => {
  test.each(['a', 'journey-1.hop_2', '0'.repeat(64)])('%j is kept and echoed', async (id) => {
    await using here = await stand([echo])
    const { headers, body } = await ask(`${here.url}/v1/echo`, { headers: { 'X-Request-ID': id } })
    expect(headers.get('x-request-id')).toBe(id)
    expect(body).toEqual({ requestId: id, seen: id })
  })

  test.each(['', '0'.repeat(65), 'a b', 'a,b', '<script>', '${jndi}', 'é', '{"a":1}'])(
    '%j is replaced by a new one',
    async (id) => {
      await using here = await stand([echo])
      const { headers } = await ask(`${here.url}/v1/echo`, { headers: { 'X-Request-ID': id } })
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    },
  )

  test.each([`wb_${'a1'.repeat(18)}`, `rt_${'0'.repeat(36)}_x`, 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln'])(
    'a credential in the wrong header is no id: %j',
    async (credential) => {
      await using here = await stand([echo])
      const { headers } = await ask(`${here.url}/v1/echo`, { headers: { 'X-Request-ID': credential } })
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    },
  )

  test('a credential in a path is not given back', async () => {
    await using here = await stand([echo])
    const key = `wb_${'a1'.repeat(18)}`
    const { status, body } = await ask(`${here.url}/${key}`)
    expect(status).toBe(404)
    expect(JSON.stringify(body)).not.toContain(key)
    expect(here.log.text()).not.toContain(key)
  })

  test('two of them are no id', async () => {
    await using here = await stand([echo])
    const socket = dial(here.port)
    socket.write('GET /v1/echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: one\r\nX-Request-ID: two\r\n\r\n')
    expect(await socket.answer).toMatch(/^X-Request-ID: [0-9a-f-]{36}\r$/im)
    socket.hangUp()
  })

  test('stands on every answer and in the log line, errors included', async () => {
    await using here = await stand([echo])
    const { headers, body } = await ask(`${here.url}/nowhere?secret=1`, {
      headers: { 'X-Request-ID': 'lost' },
    })
    expect(headers.get('x-request-id')).toBe('lost')
    expect(body.request_id).toBe('lost')
    await here.service.close()
    const line = here.log.lines().find(({ msg }) => msg === 'request')
    expect(line).toMatchObject({ request_id: 'lost', status: 404, method: 'GET', path: '/nowhere' })
  })
})
