import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HttpClient } from '../src/index.ts'
import { wireErrorOf } from '../src/wire-error.ts'
import { client, recorder, thrown } from './stand.ts'

let http: HttpClient
let servers: Server[]
beforeEach(() => {
  http = client()
  servers = []
})
afterEach(async () => {
  await http.close()
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
})

/** Does as told with the first bytes of each connection. Gives back its host and port. */
async function raw(onBytes: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => onBytes(socket))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`
}

/** The error of a request that nothing but an answer, or the lack of one, would end for a minute. */
const failureAt = (origin: string) =>
  thrown(
    http
      .external({ allowHeaders: [], allowPrivateOrigins: [origin] })
      .send({ method: 'POST', url: origin, body: '{}', timeoutMs: 60_000 }),
  )

describe('a handshake of TLS that fails', () => {
  test.each<[string, (socket: Socket) => unknown]>([
    ['since the other side speaks plain HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['since the connection is reset', (socket) => socket.resetAndDestroy()],
    ['since the connection ends', (socket) => socket.end()],
  ])('%s has sent nothing', async (_, onBytes) => {
    const error = await failureAt(`https://${await raw(onBytes)}`)
    expect(error).toMatchObject({ code: 'upstream_failed', status: 502, sent: false })
  })
})

describe('a connection that was made', () => {
  test('and is reset may have brought the request there', async () => {
    const error = await failureAt(`http://${await raw((socket) => socket.resetAndDestroy())}`)
    expect(error).toMatchObject({ code: 'upstream_failed', sent: true })
  })

  test('and is used again is no new one: when it is reset, the request may be there', async () => {
    const provider = await recorder((_request, res, req) => {
      if (provider.requests.length === 1) res.end('{}')
      else req.socket.resetAndDestroy()
    })
    const outside = http.external({ allowHeaders: [], allowPrivateOrigins: [provider.url] })
    await outside.call({ method: 'POST', url: provider.url, body: '{}' })
    const again = await thrown(outside.call({ method: 'POST', url: provider.url, body: '{}' }))
    expect(again).toMatchObject({ code: 'upstream_failed', sent: true })
    expect([provider.requests.length, provider.connections()]).toEqual([2, 1])
    await provider.close()
  })
})

test('a connection that is switched to another protocol (101) is one that broke, and ends at once', async () => {
  const closed = Promise.withResolvers<boolean>()
  const origin = await raw((socket) => {
    socket.once('close', () => closed.resolve(true))
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  })
  const error = await failureAt(`http://${origin}`)
  expect(error).toMatchObject({ code: 'upstream_failed', status: 502, sent: true })
  expect(await closed.promise).toBe(true)
})

test('a time-out of the system has sent nothing before there was a connection, and perhaps all of it after', () => {
  const timedOut = Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' })
  expect(wireErrorOf(timedOut, { isConnected: false })).toMatchObject({ reason: 'unconnected', sent: false })
  expect(wireErrorOf(timedOut, { isConnected: true })).toMatchObject({ reason: 'timeout', sent: true })
})
