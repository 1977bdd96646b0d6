import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { z } from 'zod'
import { createLogger, createService, Problem, serviceEnv } from '../src/index.ts'
import type { Authenticate, Guard, Route, Service, UserPrincipal } from '../src/index.ts'

/** A user with `things.write`; the real guards live in @waybill/auth, a room above this one. */
export const writer: Guard<UserPrincipal> = {
  description: 'a user with things.write',
  open: false,
  kinds: ['user'],
  permissions: ['things.write'],
  services: [],
  decide(principal) {
    if (!principal) return { allowed: false, reason: 'unauthenticated' }
    if (principal.permissions.includes('things.write')) return { allowed: true }
    return { allowed: false, reason: 'forbidden', detail: 'No.', permission: 'things.write' }
  },
}

export const anybody: Guard<undefined> = {
  description: 'anybody: a test',
  open: true,
  kinds: [],
  permissions: [],
  services: [],
  decide: () => ({ allowed: true }),
}

/** `Bearer strong` may do everything, `Bearer weak` nothing, `Bearer bad` is no credential. */
const authenticate: Authenticate = (req) => {
  const name = req.headers.authorization?.replace('Bearer ', '')
  if (name === undefined) return Promise.resolve(undefined)
  if (name === 'bad') return Promise.reject(new Problem('invalid_token', 'The token has expired.'))
  const permissions = name === 'strong' ? ['things.write'] : []
  const principal: UserPrincipal = {
    kind: 'user',
    userId: name,
    role: 'user',
    permissions,
    actors: [],
    via: 'jwt',
  }
  return Promise.resolve({ principal })
}

export const STRONG = { Authorization: 'Bearer strong' }

/** A destination for a logger, and every line that it was given. */
export function logSink(): { lines: () => Record<string, unknown>[]; text: () => string; stream: Writable } {
  const chunks: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString())
      done()
    },
  })
  const text = (): string => chunks.join('')
  const lines = (): Record<string, unknown>[] =>
    text()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { lines, text, stream }
}

type Options = Partial<Omit<Parameters<typeof createService>[0], 'routes' | 'config'>>

export interface Stand extends AsyncDisposable {
  service: Service
  url: string
  port: number
  log: ReturnType<typeof logSink>
}

/** A service with `routes` on a socket of its own. */
export async function stand(
  routes: readonly Route[],
  environment: NodeJS.ProcessEnv = {},
  options: Options & { start?: boolean } = {},
): Promise<Stand> {
  const config = z.object(serviceEnv({ port: 0 })).parse(environment)
  const log = logSink()
  const logger = createLogger({ service: 'stand', destination: log.stream })
  const { start = true, ...rest } = options
  const service = createService({ name: 'stand', config, auth: { authenticate }, routes, logger, ...rest })
  const { url, port } = await service.listen({ port: 0 })
  if (start) await service.start()
  return { service, url, port, log, [Symbol.asyncDispose]: () => service.close() }
}

/** What a problem answer looks like to a client. */
export interface Answer {
  status: number
  headers: Headers
  body: Record<string, unknown>
}

export async function ask(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  return { status: response.status, headers: response.headers, body }
}

export function json(body: unknown, headers: Record<string, string> = STRONG): RequestInit {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }
}

export interface Line {
  write: (text: string | Buffer) => void
  /** What came back, once its head is there: enough for the status, and there however long the body is. */
  answer: Promise<string>
  /** Everything that came back until the connection ended. */
  ended: Promise<string>
  /** The next bytes from now on. */
  next: () => Promise<string>
  hangUp: () => void
}

/** A connection on which a test writes bytes that no proper client would write. */
export function dial(port: number): Line {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let text = ''
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.includes('\r\n\r\n')) resolve(text)
    })
    socket.once('close', () => resolve(text))
  })
  return {
    write: (data) => void socket.write(data),
    answer,
    ended,
    next: () =>
      new Promise((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString('latin1')))),
    hangUp: () => void socket.destroy(),
  }
}

/** A promise to be kept later. */
export function gate<T = void>(): { passed: Promise<T>; open: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { passed: promise, open: resolve }
}
