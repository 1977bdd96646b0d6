import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createLogger, runInContext, Secret } from '@waybill/service-kit'
import type { RequestContext, UserPrincipal } from '@waybill/service-kit'
import { endpoint } from '@waybill/contracts'
import { z } from 'zod'
import { clientEnv, createHttpClient } from '../src/index.ts'
import type { HttpClient } from '../src/index.ts'

export interface Recorded {
  method: string
  url: string
  headers: IncomingMessage['headers']
  /** The names as they were spelt, in order. */
  names: string[]
  body: string
}

export interface Recorder {
  url: string
  requests: Recorded[]
  /** How many connections were made. */
  connections: () => number
  server: Server
  close: () => Promise<void>
}

/** A neighbour that writes down what it is sent, and answers as told (200 `{}` unless said). */
export async function recorder(
  answer: (request: Recorded, res: ServerResponse, req: IncomingMessage) => void = (_request, res) =>
    res.end('{}'),
): Promise<Recorder> {
  const requests: Recorded[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      const names = req.rawHeaders.filter((_, at) => at % 2 === 0)
      const request = { method: req.method ?? '', url: req.url ?? '', headers: req.headers, names, body }
      requests.push(request)
      answer(request, res, req)
    })
  })
  server.on('connection', (socket) => {
    connections += 1
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  return { url, requests, connections: () => connections, server, close }
}

export interface Issuer extends Recorder {
  /** What `/oauth/token` was asked for, one form per request. */
  asked: () => URLSearchParams[]
}

/** auth-service, as far as its clients see it: each token names its audience, its subject and its number. */
export async function issuer(lifetimeSeconds = 300): Promise<Issuer> {
  let number = 0
  const base = await recorder((request, res) => {
    const form = new URLSearchParams(request.body)
    number += 1
    const subject = form.get('subject_token') ?? 'nobody'
    res.setHeader('Content-Type', 'application/json').end(
      JSON.stringify({
        access_token: `canary-${form.get('audience') ?? ''}-${subject}-${String(number)}`,
        token_type: 'Bearer',
        expires_in: lifetimeSeconds,
        scope: '',
      }),
    )
  })
  return { ...base, asked: () => base.requests.map(({ body }) => new URLSearchParams(body)) }
}

export const SECRET = 'canary-service-secret'

/** The client of docling, with its environment as an operator would write it. */
export function client(environment: Record<string, string> = {}): HttpClient {
  const config = z.object(clientEnv).parse({ SERVICE_SECRET: SECRET, ...environment })
  return createHttpClient({ service: 'docling', config })
}

export const ANN: UserPrincipal = {
  kind: 'user',
  userId: 'ann',
  tenantId: 't1',
  role: 'user',
  permissions: ['memory.read'],
  actors: ['gateway'],
  via: 'jwt',
}

/** Runs `work` as part of a request; `canary-ann` is the token that the request came with. */
export function serving<T>(work: () => T, context: Partial<RequestContext> = {}): T {
  return runInContext(
    {
      requestId: 'journey-1',
      log: createLogger({ service: 'test', level: 'silent' }),
      principal: ANN,
      credential: { type: 'access-token', secret: new Secret('canary-ann') },
      deadline: Date.now() + 20_000,
      signal: new AbortController().signal,
      ...context,
    },
    work,
  )
}

const service = 'llm-proxy' as const
export const getThing = endpoint({
  service,
  method: 'GET',
  path: '/v1/things/:id',
  summary: 'A thing',
  params: z.object({ id: z.string() }),
  query: z.object({ tags: z.array(z.string()).optional(), q: z.string().optional() }),
  output: z.object({ id: z.string().optional() }),
})
export const createThing = endpoint({
  service,
  method: 'POST',
  path: '/v1/things',
  summary: 'Create a thing',
  body: z.object({ name: z.string() }),
  output: z.object({}),
})
export const THING = { params: { id: '7' } }

/** What is thrown, as it is. */
export async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error('nothing was thrown')
    },
    (error: unknown) => error,
  )
}
