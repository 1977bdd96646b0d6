import type { Writable } from 'node:stream'

/** Who an answer goes to: the client (a ServerResponse is one), or a caller in this process. */
export interface Recipient extends Writable {
  statusCode: number
  readonly headersSent: boolean
  setHeader(name: string, value: string | number): unknown
  getHeader(name: string): unknown
  flushHeaders(): void
}
