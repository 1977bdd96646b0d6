import { X509Certificate } from 'node:crypto'
import { Agent } from 'node:https'
import type { AgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import { createSecureContext } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { certifiedService } from '@waybill/auth'
import type { Tls, TlsMaterial } from '@waybill/service-kit'

export interface TlsAgentOptions {
  tls: Tls
  /** Who must be at the other end. */
  service: string
  pool: AgentOptions
}

export interface TlsAgent {
  /** The pool with the certificates of now: to be asked for again with every request. */
  current(): Agent
  close(): void
}

/**
 * Connections to one service, with this service's certificate, on which the other side must prove by its SPIFFE id to be
 * that service; its host name says nothing. After a swap the next request makes a new connection, idle ones end, and
 * those in use end with their answer.
 */
export function createTlsAgent({ tls, service, pool }: TlsAgentOptions): TlsAgent {
  const agentFor = (material: TlsMaterial): RetiringAgent =>
    new RetiringAgent({
      ...pool,
      // Made once: node would otherwise read the keys anew for every connection, and name its pools by them.
      secureContext: createSecureContext({
        cert: material.certificate,
        key: material.key.reveal(),
        ca: material.authorities,
        minVersion: 'TLSv1.2',
      }),
      rejectUnauthorized: true,
      checkServerIdentity: (_host, certificate) => identityError(certificate, service, tls.trustDomain),
      // A resumed session would bring back a server that was judged by the CAs of then.
      maxCachedSessions: 0,
    })
  let agent = agentFor(tls.current())
  const unsubscribe = tls.onSwap((material) => {
    const old = agent
    agent = agentFor(material)
    old.retire()
  })
  return {
    current: () => agent,
    close() {
      unsubscribe()
      agent.destroy()
    },
  }
}

function identityError({ raw }: PeerCertificate, expected: string, trustDomain: string): Error | undefined {
  try {
    const service = certifiedService(new X509Certificate(raw), { trustDomain, usage: 'server' })
    if (service === expected) return undefined
  } catch (error) {
    if (error instanceof Error) return error
  }
  return Object.assign(new Error(`the certificate is not that of ${expected}`), {
    code: 'ERR_PEER_CERTIFICATE',
  })
}

/** A pool that can be told to end each connection as soon as nothing is under way on it. */
class RetiringAgent extends Agent {
  #retired = false

  retire(): void {
    this.#retired = true
    for (const sockets of Object.values(this.freeSockets))
      for (const socket of sockets ?? []) socket.destroy()
  }

  /** Called by node when an answer is complete. */
  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#retired) return false
    // Node's types leave out what it gives back: whether the connection stays.
    const usual: (socket: Duplex) => unknown = (each) => super.keepSocketAlive(each)
    return usual(socket) === true
  }
}
