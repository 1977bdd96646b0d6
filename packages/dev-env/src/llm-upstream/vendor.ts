import type { IncomingHttpHeaders } from 'node:http'
import type { Asked } from './asked.ts'
import type { Generated } from './generate.ts'
import type { Reply } from './reply.ts'

/** A request, read. */
export interface Call {
  method: string
  path: string
  query: URLSearchParams
  asked: Asked
  made: Generated
  /** The last four characters of the key. */
  key: string
  /** Length of the body. */
  bytes: number
}

/** How one vendor's API looks on the wire. */
export interface Vendor {
  name: 'openai' | 'anthropic' | 'gemini'
  credential(headers: IncomingHttpHeaders, query: URLSearchParams): string | undefined
  /** What the path says in place of the body. */
  inPath(path: string): { model?: string; isStream?: boolean }
  /** On every answer. */
  headers(requestId: string): Record<string, string>
  /** Undefined when there is nothing at that path. */
  answer(call: Call): Reply | undefined
  error(status: number, requestId: string): Reply
  unauthorized(key: string | undefined, requestId: string): Reply
  malformed(requestId: string): Reply
  /** The last frame of a stream that failed. */
  errorFrame(path: string): string
}
