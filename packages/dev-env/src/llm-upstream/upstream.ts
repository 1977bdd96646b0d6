import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { portOf } from '../ports.ts'
import { answerTo } from './answer.ts'
import { deliver } from './deliver.ts'
import { createFaults } from './faults.ts'
import type { Fault, FaultOptions } from './faults.ts'
import { createSeenList } from './seen.ts'
import type { SeenRequest } from './seen.ts'

export interface LlmUpstreamOptions {
  /** Any free port unless said. */
  port?: number
  /** Which keys are good: those that begin with `sk-`, but not with `sk-invalid`, unless said. */
  accepts?: (key: string) => boolean
  /** How many requests `seen` keeps; 10,000 unless said. */
  keep?: number
}

export interface LlmUpstream {
  /** `http://127.0.0.1:<port>` */
  url: string
  /** The requests since the last `forget`, oldest first. */
  seen: readonly SeenRequest[]
  /** How many of all requests since the start the client gave up before they were answered. */
  readonly aborts: number
  /** How many requests wait for the rest of their answer now. */
  readonly openRequests: number
  /** How many connections there are now. */
  readonly connections: number
  /** Resolves when it holds, looking again whenever something happens; rejects after `timeoutMs`, 5,000 unless said. */
  until: (holds: () => boolean, timeoutMs?: number) => Promise<void>
  forget: () => void
  fail: (fault: Fault, options?: FaultOptions) => void
  /** No more of the faults that `fail` ordered. */
  mend: () => void
  close: () => Promise<void>
}

const isGoodKey = (key: string): boolean => key.startsWith('sk-') && !key.startsWith('sk-invalid')

/**
 * The vendors of language models on 127.0.0.1, in their wire protocols: OpenAI, Anthropic, Gemini. It echoes, and fails as the name
 * of the model says (see the README of this folder) or as `fail` orders.
 */
export async function startLlmUpstream(options: LlmUpstreamOptions = {}): Promise<LlmUpstream> {
  const { port = 0, accepts = isGoodKey, keep = 10_000 } = options
  const faults = createFaults()
  const seen = createSeenList(keep)
  let aborts = 0
  let openRequests = 0
  let connections = 0

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const record = seen.add(request)
    openRequests += 1
    response.once('close', () => {
      openRequests -= 1
      if (record.outcome === 'open') record.outcome = response.writableFinished ? 'answered' : 'aborted'
      if (record.outcome === 'aborted') aborts += 1
      seen.changed()
    })
    seen.changed()
    record.body = await readBody(request)
    const { method, url, headers, body } = record
    const ordered = faults.take(`${method} ${url}`)
    const answer = answerTo({ method, url, headers, body }, { accepts, ordered })
    record.model = answer.model
    record.key = answer.key
    seen.changed()
    await deliver(answer, response, {
      broke: () => (record.outcome = 'broken'),
      held: () => {
        record.isHeld = true
        seen.changed()
      },
      wrote: (bytes) => {
        record.sent += bytes
      },
    })
  }

  const server = createServer((request, response) => {
    // A body that ends early, or an answer that nobody takes: nobody waits for it.
    handle(request, response).catch(() => request.socket.destroy())
  })
  // Who keeps connections must not find them closed in the middle of a quiet test.
  server.keepAliveTimeout = 120_000
  server.on('connection', (socket) => {
    connections += 1
    socket.setNoDelay(true)
    socket.once('close', () => {
      connections -= 1
      seen.changed()
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    seen: seen.list,
    get aborts() {
      return aborts
    },
    get openRequests() {
      return openRequests
    },
    get connections() {
      return connections
    },
    until: (holds, timeoutMs = 5_000) => seen.until(holds, timeoutMs),
    forget: seen.forget,
    fail: faults.add,
    mend: faults.clear,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
