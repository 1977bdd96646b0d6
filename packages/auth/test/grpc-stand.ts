import { once } from 'node:events'
import { connect } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { Writable } from 'node:stream'
import { Client, credentials as channel, Metadata } from '@grpc/grpc-js'
import type { CallOptions, Interceptor, ServiceDefinition, ServiceError, status } from '@grpc/grpc-js'
import { createLogger } from '@waybill/service-kit'
import { z } from 'zod'
import { createGrpcServer, rpc } from '../src/grpc/index.ts'
import type { GrpcServer, Rpc } from '../src/grpc/index.ts'
import { createCredentialVerifier, open, user } from '../src/index.ts'
import { verifier } from './forge.ts'

const SERVICE = 'test.Things'
const toBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const fromBytes = (bytes: Buffer): unknown => JSON.parse(bytes.toString())

/** A method whose messages are JSON, so that no .proto file is needed. */
const method = (name: string) => ({
  path: `/${SERVICE}/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: toBytes,
  requestDeserialize: fromBytes,
  responseSerialize: toBytes,
  responseDeserialize: fromBytes,
})
export const definition = (...names: string[]): ServiceDefinition =>
  Object.fromEntries(names.map((name) => [name, method(name)]))

export type Handle = (input: Parameters<Rpc['handle']>[0]) => Promise<unknown>

/** `Read` is for users with memory.read, `Free` for everybody; both do what `handle` says. */
export function things(handle: Handle): Rpc[] {
  const contract = (name: string) => ({
    path: `${SERVICE}/${name}`,
    input: z.strictObject({ name: z.string().optional() }),
    output: z.unknown(),
  })
  return [
    rpc(contract('Read'), { auth: user('memory.read'), handle }),
    rpc(contract('Free'), { auth: open('a test'), handle }),
  ]
}

export const CONFIG = {
  REQUEST_TIMEOUT_MS: 5_000,
  BODY_LIMIT_BYTES: 4096,
  SHUTDOWN_TIMEOUT_MS: 5_000,
  GRPC_MAX_CONCURRENT_CALLS: 256,
  TLS_LISTEN: true,
  TLS_CLIENT_AUTH: 'off' as const,
  TLS_CONNECTION_MAX_AGE_SECONDS: 3600,
}

export interface Answer {
  code: status
  details: string
  value: unknown
  /** Response metadata and trailers, by name. */
  metadata: Record<string, unknown>
  trailers: Record<string, unknown>
}

export interface CallInput {
  method?: string
  message?: unknown
  metadata?: Record<string, string>
  options?: CallOptions
}

export interface GrpcStand extends AsyncDisposable {
  server: GrpcServer
  port: number
  lines: () => Record<string, unknown>[]
  /** Calls `Read` unless said; `onCall` gets what can cancel it. */
  call(input?: CallInput, onCall?: (cancel: () => void) => void): Promise<Answer>
  /** Sends exactly these headers beside those that every call has; gives back the headers and trailers answered. */
  raw(headers: [string, string][]): Promise<Record<string, unknown>>
}

export async function grpcStand(
  handle: Handle,
  { config = {}, interceptors = [] }: { config?: Partial<typeof CONFIG>; interceptors?: Interceptor[] } = {},
): Promise<GrpcStand> {
  const text: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text.push(chunk.toString())
      done()
    },
  })
  const server = createGrpcServer({
    definition: definition('Read', 'Free'),
    methods: things(handle),
    credentials: createCredentialVerifier({ verifier: await verifier() }),
    log: createLogger({ service: 'things', destination: stream }),
    config: { ...CONFIG, ...config },
  })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  const client = new Client(`127.0.0.1:${port}`, channel.createInsecure(), { interceptors })
  return {
    server,
    port,
    lines: () =>
      text
        .flatMap((chunk) => chunk.trim().split('\n'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    call: (input = {}, onCall) => callWith(client, input, onCall),
    raw: (headers) => sendRaw(port, headers),
    async [Symbol.asyncDispose]() {
      client.close()
      await server.close()
    },
  }
}

export function callWith(
  client: Client,
  { method: name = 'Read', message = {}, metadata = {}, options = {} }: CallInput,
  onCall?: (cancel: () => void) => void,
): Promise<Answer> {
  const { path, requestSerialize, responseDeserialize } = method(name)
  const sent = new Metadata()
  for (const [key, value] of Object.entries(metadata)) sent.set(key, value)
  return new Promise((resolve) => {
    let received: Record<string, unknown> = {}
    let answered: { error: ServiceError | null; value: unknown } | undefined
    const call = client.makeUnaryRequest(
      ...[path, requestSerialize, responseDeserialize, message, sent, options],
      (error, value) => {
        answered = { error, value }
      },
    )
    call.on('metadata', (given: Metadata) => (received = given.getMap()))
    call.on('status', ({ code, details, metadata: trailers }) => {
      // The callback comes first, or with this.
      setImmediate(() => {
        resolve({ code, details, value: answered?.value, metadata: received, trailers: trailers.getMap() })
      })
    })
    onCall?.(() => call.cancel())
  })
}

async function sendRaw(port: number, headers: [string, string][]): Promise<Record<string, unknown>> {
  const options: object = { strictSingleValueFields: false } // newer than its type
  const session = connect(`http://127.0.0.1:${port}`, options)
  const answered = await sendRawOn(session, headers)
  session.close()
  return answered
}

/** One `Read` with exactly these headers beside those that every call has. */
export async function sendRawOn(
  session: ClientHttp2Session,
  headers: [string, string][] = [],
): Promise<Record<string, unknown>> {
  const usual = [':method', 'POST', ':scheme', 'http', ':authority', 'x', ':path', `/${SERVICE}/Read`]
  const all = [...usual, 'content-type', 'application/grpc', 'te', 'trailers', ...headers.flat()]
  const stream = session.request(all)
  const answered: Record<string, unknown> = {}
  const keep = (given: object): void => void Object.assign(answered, given)
  stream.on('response', keep)
  stream.on('trailers', keep)
  const body = toBytes({})
  const frame = Buffer.alloc(5)
  frame.writeUInt32BE(body.length, 1)
  stream.end(Buffer.concat([frame, body]))
  stream.resume()
  await once(stream, 'close')
  return answered
}
