import { connect as connectPlain } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'

/** Where and what to send. */
export interface Target {
  port: number
  path: string
  headers: Record<string, string>
  /** POSTed, as JSON; a GET without. */
  body?: string
  /** The client's side of TLS; plain when absent. */
  tls?: ConnectionOptions
}

/** Warm connections that send one request after the other, each as soon as the last one is answered. */
export interface Load {
  /** Sends `requests` in all and gives back how long they took, in seconds. @throws when an answer is not 200 */
  run(requests: number): Promise<number>
  close(): void
}

/**
 * A closed loop on raw sockets: node's own http client costs several times what a bare server does, and what is measured
 * would be the client. `awake` keeps it from sleeping between answers, see `spin`.
 */
export async function openLoad(target: Target, connections: number, awake: boolean): Promise<Load> {
  const request = requestTo(target)
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(target)))
  return {
    async run(requests) {
      // While the others had their turn, a server may have closed what stood idle.
      for (const [at, socket] of sockets.entries()) if (socket.destroyed) sockets[at] = await open(target)
      let left = requests
      const stopSpinning = awake ? spin() : () => undefined
      const began = performance.now()
      await Promise.all(
        sockets.map(async (socket) => {
          while (left-- > 0) await exchange(socket, request)
        }),
      )
      const seconds = (performance.now() - began) / 1000
      stopSpinning()
      return seconds
    },
    close() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** The bytes of a request. */
export function requestTo({ path, headers, body }: Target): Buffer {
  const framing: Record<string, string> =
    body === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }
  const lines = Object.entries({ Host: 'bench', ...framing, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const method = body === undefined ? 'GET' : 'POST'
  return Buffer.from([`${method} ${path} HTTP/1.1`, ...lines, '', body ?? ''].join('\r\n'))
}

/**
 * Keeps this process awake. One that sleeps until an answer comes has to be woken by the server's own write, which on a
 * virtual machine costs the server more than a token does: the slower variant would pay for the client's naps. Where a
 * request is real work, of a database too, the core is better left to that.
 */
function spin(): () => void {
  let spinning = true
  const turn = (): void => {
    if (spinning) setImmediate(turn)
  }
  turn()
  return () => (spinning = false)
}

export async function open({ port, tls }: Pick<Target, 'port' | 'tls'>): Promise<Socket> {
  const socket = tls ? connectTls({ ...tls, port, host: '127.0.0.1' }) : connectPlain(port, '127.0.0.1')
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).once(tls ? 'secureConnect' : 'connect', resolve)
  })
  return socket
}

const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n')

/** One request and its whole answer, which must be 200 and either say its length or come in chunks. */
function exchange(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    let expected = Number.POSITIVE_INFINITY
    let isChunked = false
    const stop = (): void => {
      socket.off('data', onData).off('error', fail).off('close', onClose)
    }
    const fail = (error: Error): void => {
      stop()
      reject(error)
    }
    const onClose = (): void => {
      fail(new Error('the connection ended'))
    }
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      if (expected === Number.POSITIVE_INFINITY && !isChunked) {
        const end = received.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = received.toString('latin1', 0, end)
        const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
        isChunked = length === undefined && /\r\ntransfer-encoding: chunked/i.test(head)
        if (!head.startsWith('HTTP/1.1 200') || (length === undefined && !isChunked)) {
          fail(new Error(`answered ${received.toString().slice(0, 1000)}`))
          return
        }
        if (length !== undefined) expected = end + 4 + Number(length)
      }
      const isWhole = isChunked
        ? received.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
        : received.length >= expected
      if (!isWhole) return
      stop()
      resolve()
    }
    socket.on('data', onData).on('error', fail).on('close', onClose)
    socket.write(request)
  })
}
