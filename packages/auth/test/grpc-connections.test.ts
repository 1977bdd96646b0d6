import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createLogger } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import { createGrpcServer } from '../src/grpc/index.ts'
import { createListener } from '../src/grpc/listener.ts'
import { createCredentialVerifier } from '../src/index.ts'
import { verifier } from './forge.ts'
import { CONFIG, definition, sendRawOn, things } from './grpc-stand.ts'

async function connected(host: string, port: number, localPort = 0): Promise<Socket> {
  const socket = connect({ host, port, localAddress: '127.0.0.1', localPort })
  await once(socket, 'connect')
  return socket
}

// Other systems than Linux have one loopback address only.
test.skipIf(process.platform !== 'linux')(
  'the certificate of one connection speaks for no other, from the same port of the same client either',
  async () => {
    const certified = { service: 'work-platform', permissions: [], thumbprint: 'x' }
    const server = createGrpcServer({
      definition: definition('Read', 'Free'),
      methods: things(({ principal }) => Promise.resolve(principal)),
      credentials: createCredentialVerifier({ verifier: await verifier() }),
      log: createLogger({ service: 'things', level: 'silent' }),
      config: CONFIG,
      peers: {
        peerOf: (socket) => ((socket as Socket).localAddress === '127.0.0.1' ? certified : undefined),
        peerRefusal: () => undefined,
      },
    })
    const { port } = await server.listen({ host: '0.0.0.0', port: 0 })
    const nobodys = await connected('127.0.0.2', port)
    const { port: clientPort } = nobodys.address() as AddressInfo
    const services = await connected('127.0.0.1', port, clientPort)
    const codeOn = async (socket: Socket) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => socket })
      const { code } = await sendRawOn(session)
      session.close()
      return code
    }
    expect(await codeOn(services)).toBe('forbidden')
    expect(await codeOn(nobodys)).toBe('unauthenticated')
    await server.close()
  },
)

test('who is not let in finds the connection ended, and the log says why', async () => {
  const lines: string[] = []
  const listener = createListener({
    tls: undefined,
    clientAuth: 'required',
    peerRefusal: () => 'The certificate names no service of this platform.',
    accept: () => expect.unreachable(),
    log: createLogger({ service: 'things', destination: { write: (line) => void lines.push(line) } }),
  })
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 })
  const stranger = await connected('127.0.0.1', port)
  await once(stranger.resume(), 'close')
  await listener.close()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('names no service')
})
