import { TLSSocket } from 'node:tls'
import type { NextFunction, Request, Response } from 'express'
import { Problem } from '../problem.ts'
import { sendProblem } from '../problem-response.ts'
import type { PeerRefusal } from './listener.ts'
import type { TlsConfig } from './tls-env.ts'

/**
 * On a strict listener every request is let in by itself, on open routes too: since the handshake the certificate may
 * have expired or its CA been removed.
 */
export function admission(peerRefusal: PeerRefusal) {
  return ({ socket }: Request, res: Response, next: NextFunction): void => {
    const refusal = socket instanceof TLSSocket ? peerRefusal(socket) : 'The connection is not encrypted.'
    if (refusal === undefined) next()
    else sendProblem(res.set('Connection', 'close'), new Problem('invalid_token', refusal))
  }
}

/** Ends connections with the first answer after their time, so that no client finds its request cut off. */
export function maximumAge(
  { TLS_CONNECTION_MAX_AGE_SECONDS: limit }: TlsConfig,
  now = () => performance.now(),
) {
  const firstSeen = new WeakMap<object, number>()
  return ({ socket }: Request, res: Response, next: NextFunction): void => {
    if (socket instanceof TLSSocket) {
      const since = firstSeen.get(socket)
      if (since === undefined) firstSeen.set(socket, now())
      else if (now() - since >= limit * 1000) res.set('Connection', 'close')
    }
    next()
  }
}
