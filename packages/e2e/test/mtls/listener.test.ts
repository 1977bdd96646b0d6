import { connect as connectPlain } from 'node:net'
import type { Socket } from 'node:net'
import { open } from '@waybill/auth'
import { route } from '@waybill/service-kit'
import { expect, it, vi } from 'vitest'
import { attempt, certificateFolder, dial, mtlsStand } from './stand.ts'

const version = 'TLSv1.3'
const REQUIRED = { TLS_CLIENT_AUTH: 'required' }

/** What comes back on a connection without TLS until it ends. */
function plain(port: number, text: string): { socket: Socket; ended: Promise<string>; open: Promise<void> } {
  const socket = connectPlain(port, '127.0.0.1')
  let received = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => (received += chunk.toString('latin1')))
  const opened = new Promise<void>((resolve) => {
    socket.once('connect', () => {
      socket.write(text, () => resolve())
    })
  })
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(received)))
  return { socket, ended, open: opened }
}

it('a request in clear gets no answer and harms nobody', async () => {
  using folder = certificateFolder()
  await folder.certificates.ensure()
  await using stand = await mtlsStand(folder, { variables: REQUIRED })
  const clear = await plain(stand.port, 'GET /open HTTP/1.1\r\nHost: test\r\n\r\n').ended
  expect(clear).not.toContain('HTTP/1.1')
  expect((await attempt({ port: stand.port, version, certified: folder.of('gateway') })).status).toBe(200)
})

it('older versions of TLS are refused', async () => {
  using folder = certificateFolder()
  await folder.certificates.ensure()
  await using stand = await mtlsStand(folder, { variables: { TLS_CLIENT_AUTH: 'optional' } })
  expect((await attempt({ port: stand.port, version: 'TLSv1.1', path: '/open' })).status).toBeUndefined()
  expect((await attempt({ port: stand.port, version: 'TLSv1.2', path: '/open' })).status).toBe(200)
})

it('a connection past TLS_CONNECTION_MAX_AGE_SECONDS ends with its next answer', async () => {
  using folder = certificateFolder()
  await folder.certificates.ensure()
  const clock = performance.now.bind(performance)
  let ahead = 0
  vi.spyOn(performance, 'now').mockImplementation(() => clock() + ahead)
  const variables = { ...REQUIRED, TLS_CONNECTION_MAX_AGE_SECONDS: '3600' }
  await using stand = await mtlsStand(folder, { variables })
  const line = await dial({ port: stand.port, version, certified: folder.of('gateway') })
  expect((await line.ask()).status).toBe(200)
  ahead = 1_800_000
  expect((await line.ask()).status).toBe(200)
  ahead = 3_600_000
  expect((await line.ask()).status).toBe(200)
  expect((await line.ask()).status).toBeUndefined()
})

it('closing lets the answer under way go out, and waits for no handshake', async () => {
  using folder = certificateFolder()
  await folder.certificates.ensure()
  const { promise: begun, resolve: begin } = Promise.withResolvers<undefined>()
  const { promise: freed, resolve: free } = Promise.withResolvers<undefined>()
  const stand = await mtlsStand(folder, {
    variables: { ...REQUIRED, SHUTDOWN_TIMEOUT_MS: '600000' },
    routes: [
      route('GET', '/slow', {
        summary: 'Takes its time',
        auth: open('a test'),
        handle: async () => {
          begin(undefined)
          await freed
          return {}
        },
      }),
    ],
  })
  const certified = folder.of('gateway')
  const idle = await dial({ port: stand.port, version, certified })
  await idle.ask('/livez')
  const silent = plain(stand.port, '')
  await silent.open
  const slow = attempt({ port: stand.port, version, certified, path: '/slow' })
  await begun
  const closed = stand.service.close()
  await silent.ended
  expect((await idle.ask('/livez')).status).toBeUndefined()
  free(undefined)
  expect((await slow).status).toBe(200)
  await closed
})
