import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { readAnswers } from './answers.ts'
import type { Answer } from './answers.ts'

/** A request as it is written to the socket: nothing is added but Host, and Connection: close. */
export interface RawRequest {
  method?: string
  /** The request target, as it is; the guarded path unless said. */
  path?: string
  /** Header lines as they are, `Name: value`. */
  headers?: readonly string[]
  /** In place of the target's own. */
  host?: string
  body?: string
  /** Content-Length and Connection are left to `headers`. */
  bare?: boolean
}

/** The bytes of a request; characters above U+00FF do not occur in what is written here. */
export function requestBytes(url: URL, request: RawRequest & { path: string }): Buffer {
  const { method = 'GET', path, headers = [], host = url.host, body = '', bare = false } = request
  const framing = bare
    ? []
    : ['Connection: close', ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : [])]
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...framing, ...headers]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)])
}

/**
 * Writes `bytes` on a connection of its own and reads until the other side closes it, or says nothing more for
 * `timeoutMs`. `method` tells whether the first answer has a body.
 * @throws the error of a connection that cannot be made
 */
export function exchange(url: URL, bytes: Uint8Array, timeoutMs: number, method = 'GET'): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
    // An address in brackets is for URLs only.
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const socket =
      url.protocol === 'https:' ? connectTls({ host, port, servername: host }) : connect({ host, port })
    const chunks: Buffer[] = []
    let connected = false
    const done = (): void => {
      socket.destroy()
      resolve(readAnswers(Buffer.concat(chunks).toString('latin1'), method))
    }
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      connected = true
      socket.write(bytes)
    })
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.setTimeout(timeoutMs, done)
    socket.once('end', done)
    socket.once('close', done)
    socket.once('error', (error: Error) => {
      // A reset after the bytes is an answer like another: nothing was said.
      if (connected) done()
      else reject(error)
    })
  })
}
