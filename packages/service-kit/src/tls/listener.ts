import { constants } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type { Logger } from '../logger.ts'
import type { TlsMaterial } from './material.ts'
import type { TlsConfig } from './tls-env.ts'
import type { Tls } from './tls.ts'

/** Why the client at the other end of a connection is not let in; undefined when it is. @waybill/auth judges that. */
export type PeerRefusal = (socket: TLSSocket) => string | undefined

export interface ListenerOptions {
  config: Pick<TlsConfig, 'TLS_CLIENT_AUTH'>
  tls: Tls | undefined
  peerRefusal: PeerRefusal | undefined
  log: Logger
}

const LIMITS = { requestTimeout: 300_000, headersTimeout: 20_000, keepAliveTimeout: 65_000 }
const HANDSHAKE_LIMIT_MS = 10_000

/** The server of a service: plain HTTP without `tls`; with it, HTTPS whose certificates are swapped while it runs. */
export function createListener(app: RequestListener, options: ListenerOptions): Server {
  const { config, tls, peerRefusal, log } = options
  if (!tls) return createHttpServer(LIMITS, app)
  const mode = config.TLS_CLIENT_AUTH
  const server = createHttpsServer({
    ...LIMITS,
    ...tlsContextOptions(tls.current()),
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
    requestCert: mode !== 'off',
    rejectUnauthorized: mode === 'required',
  })
  // Whoever may not come in is gone before HTTP hears of the connection.
  server.on('secureConnection', (socket: TLSSocket) => {
    const reason = mode === 'required' ? peerRefusal?.(socket) : undefined
    if (reason === undefined) return
    log.info({ reason }, 'a client was not let in')
    socket.destroy()
  })
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => {
    log.info({ code }, 'a handshake failed')
  })
  server.on('request', app)
  const unsubscribe = tls.onSwap((material) => {
    server.setSecureContext(tlsContextOptions(material))
  })
  server.once('close', unsubscribe)
  return server
}

/**
 * No session is ever resumed: a resumed one skips the client certificate, its expiry and a CA that was removed since,
 * and counts as authorised without any (nodejs/node#35317). Without tickets TLS 1.3 has none, and TLS 1.2 has no
 * session ids either, because node keeps no cache unless somebody listens for `newSession`.
 */
export function tlsContextOptions({ certificate, key, authorities }: TlsMaterial): SecureContextOptions {
  return {
    cert: certificate,
    key: key.reveal(),
    ca: authorities,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}
