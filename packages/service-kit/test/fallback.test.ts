import { describe, expect, test } from 'vitest'
import { route } from '../src/index.ts'
import { anybody, ask, dial, stand } from './stand.ts'

const of = { auth: anybody, summary: 'A route', handle: () => ({ handled: true }) }
const vendors = { ...of, renderProblem: ({ status }: { status: number }) => ({ fault: status }) }
const ROUTES = [
  route('POST', '/v1/chat', vendors),
  route('POST', '/v1/*path', { ...vendors, takesTheRest: true }),
  route('ALL', '/vendor/*path', vendors),
  route('ANY', '/verify', of),
]

describe('a path that no route took has the shape of errors of those that it stands among', () => {
  test.each([
    ['GET', '/v1/chat', 405],
    ['GET', '/v1/nothing', 404],
    ['GET', '/v1', 404],
    ['GET', '/vendor', 404],
    ['GET', '/vendor/', 404],
    ['GET', '/vendor/a/%zz', 400],
    ['PROPFIND', '/vendor/a', 405],
  ])('%s %s: %i', async (method, path, status) => {
    await using here = await stand(ROUTES)
    const answer = await ask(here.url + path, { method })
    expect([answer.status, answer.body]).toEqual([status, { fault: status }])
    expect(answer.headers.get('x-request-id')).toMatch(/.{36}/)
  })

  test('that of a vendor while the service is starting, and that of a problem document elsewhere', async () => {
    await using here = await stand(ROUTES, {}, { start: false })
    expect((await ask(`${here.url}/vendor/a`)).body).toEqual({ fault: 503 })
    expect((await ask(`${here.url}/vendors`)).body).toMatchObject({ code: 'unavailable' })
    await here.service.start()
    expect((await ask(`${here.url}/vendors`)).body).toMatchObject({ code: 'not_found' })
  })
})

describe('a route for ALL', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('takes %s', async (method) => {
    await using here = await stand(ROUTES)
    expect((await ask(`${here.url}/vendor/a`, { method })).body).toEqual({ handled: true })
  })

  test('takes HEAD, tells OPTIONS what it takes, and refuses TRACE, which gives back what it was sent with', async () => {
    await using here = await stand(ROUTES)
    const allowed = 'GET, HEAD, POST, PUT, PATCH, DELETE'
    expect((await fetch(`${here.url}/vendor/a`, { method: 'HEAD' })).status).toBe(200)
    const options = await fetch(`${here.url}/vendor/a`, { method: 'OPTIONS' })
    expect([options.status, options.headers.get('allow')]).toEqual([204, allowed])
    const socket = dial(here.port)
    socket.write('TRACE /vendor/a HTTP/1.1\r\nHost: x\r\nX-Canary: canary\r\nConnection: close\r\n\r\n')
    const answer = await socket.answer
    expect(answer).toMatch(/^HTTP\/1.1 405 /)
    expect(answer).toContain(`Allow: ${allowed}\r\n`)
    expect(answer).not.toContain('canary')
    socket.hangUp()
  })

  test('is no route for ANY, which takes them too', async () => {
    await using here = await stand(ROUTES)
    expect((await ask(`${here.url}/verify`, { method: 'PROPFIND' })).body).toEqual({ handled: true })
  })
})
