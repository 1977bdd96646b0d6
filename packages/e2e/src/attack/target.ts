import type { JsonWebKey } from 'node:crypto'
import { inWords, SILENCE } from './answers.ts'
import type { Answer } from './answers.ts'
import { makeForgersKey, publicJwk, takeApart } from './forger.ts'
import type { ForgersKey, Json } from './forger.ts'
import { guardedOperations, readDocument } from './openapi.ts'
import type { Operation } from './openapi.ts'
import { startTrap } from './trap.ts'
import type { Trap } from './trap.ts'
import { exchange, requestBytes } from './wire.ts'
import type { RawRequest } from './wire.ts'

export interface TargetOptions {
  /** A guarded operation; one of the target's /openapi.json when absent. */
  guarded?: Operation
  /** A token that is good at the guarded route. */
  token?: string
  /** A good token of somebody else. */
  otherToken?: string
  apiKey?: string
  /** The issuer's public keys; those under the target's own /.well-known/jwks.json when absent. */
  jwksUrl?: string
  /** How many wrong passwords must be enough to be told to wait; 0 does not try. */
  loginTries?: number
  /** How long an answer may take, in milliseconds. */
  timeoutMs?: number
}

/** A running service, and what is known of it. */
export interface Target {
  url: URL
  guarded: Operation
  /** Its operations, if it says what they are. */
  operations: readonly Operation[]
  token: string | undefined
  otherToken: string | undefined
  apiKey: string | undefined
  /** Why `token` cannot be used, when it was given and cannot. */
  tokenTrouble: string | undefined
  /** The same for `apiKey`. */
  apiKeyTrouble: string | undefined
  keys: readonly JsonWebKey[]
  /** Header and payload that forged tokens begin with: those of the good token, or what such a thing looks like. */
  model: { header: Json; payload: Json }
  forger: ForgersKey
  trap: Trap
  loginTries: number
  timeoutMs: number
  /** The answer to a path that cannot exist: some servers have a page for everything. */
  nowhere: Answer
  /** One request and the first answer to it. */
  send(request?: RawRequest): Promise<Answer>
  /** Bytes as they are, and every answer to them. */
  write(bytes: Uint8Array, method?: string): Promise<Answer[]>
  close(): Promise<void>
}

/** @throws Error that says what is missing when there is nothing guarded to attack, or nobody answers */
export async function createTarget(base: string, options: TargetOptions = {}): Promise<Target> {
  const url = new URL(base)
  const { timeoutMs = 10_000, token } = options
  const write = (bytes: Uint8Array, method?: string) => exchange(url, bytes, timeoutMs, method)
  const sendTo = async (operation: Operation, request: RawRequest): Promise<Answer> => {
    const bytes = requestBytes(url, withBody(operation, request))
    const [first] = await write(bytes, request.method ?? operation.method)
    return first ?? SILENCE
  }
  // First, so that nobody at home is said to be just that.
  const nowhere = await sendTo({ method: 'GET', path: '/.attack-made-up-path/9f2c' }, {})
  const operations = await readDocument(url)
  const answerTo = (operation: Operation) =>
    sendTo(operation, token === undefined ? {} : { headers: [`Authorization: Bearer ${token}`] })
  const guarded = options.guarded ?? (await firstThatWorks(guardedOperations(operations), answerTo))
  if (!guarded) {
    throw new Error('No guarded route is to be found in /openapi.json: name one with --path GET:/its/path.')
  }
  const send = (request: RawRequest = {}) => sendTo(guarded, request)
  const forger = makeForgersKey()
  const withToken = token === undefined ? undefined : await answerTo(guarded)
  const withKey =
    options.apiKey === undefined ? undefined : await send({ headers: [`X-API-Key: ${options.apiKey}`] })
  const tokenTrouble = troubleOf('token', withToken)
  const apiKeyTrouble = troubleOf('API key', withKey)
  const keys = await fetchKeys(options.jwksUrl ?? new URL('/.well-known/jwks.json', url).href)
  // Last, so that nothing is left open when one of the others fails.
  const trap = await startTrap([publicJwk(forger)])
  return {
    ...{ url, guarded, operations, forger, timeoutMs, write, send },
    ...{ tokenTrouble, apiKeyTrouble },
    token: tokenTrouble === undefined ? token : undefined,
    otherToken: options.otherToken,
    apiKey: apiKeyTrouble === undefined ? options.apiKey : undefined,
    model: modelOf(token),
    ...{ keys, nowhere, trap },
    loginTries: options.loginTries ?? 30,
    close: () => trap.close(),
  }
}

/** Why a credential that was given cannot be used here; undefined when it can, or was not given. */
function troubleOf(what: string, answer: Answer | undefined): string | undefined {
  if (!answer || ![0, 400, 401, 403, 429].includes(answer.status)) return undefined
  return `the ${what} given is not good here: ${inWords(answer)}`
}

/** Where a good token is answered with a success, an attack that goes through can be told from one that does not. */
async function firstThatWorks(
  operations: readonly Operation[],
  answerTo: (operation: Operation) => Promise<Answer>,
): Promise<Operation | undefined> {
  for (const operation of operations.filter(({ method }) => method === 'GET').slice(0, 20)) {
    const { status } = await answerTo(operation)
    if (status >= 200 && status < 300) return operation
  }
  return operations[0]
}

/** The guarded operation's own body goes with its own method, where the attack brings none. */
function withBody(operation: Operation, request: RawRequest): RawRequest & { path: string } {
  const { method, path, body } = operation
  const own =
    body !== undefined && request.body === undefined && !request.bare && (request.method ?? method) === method
  const withOwn = own && { body, headers: ['Content-Type: application/json', ...(request.headers ?? [])] }
  return { method, path, ...request, ...withOwn }
}

/** Whether the service says that it has this operation. */
export function has(target: Target, method: string, path: string): boolean {
  return target.operations.some((operation) => operation.method === method && operation.path === path)
}

function modelOf(token: string | undefined): Target['model'] {
  const parts = token === undefined ? undefined : takeApart(token)
  if (parts) return parts
  const now = Math.floor(Date.now() / 1000)
  return {
    header: { alg: 'ES256', typ: 'at+jwt', kid: 'current' },
    payload: {
      ...{ iss: 'https://issuer.invalid', aud: 'api', sub: 'admin', client_id: 'forger', jti: 'forged' },
      ...{ iat: now, nbf: now, exp: now + 300, scope: '*', role: 'admin' },
    },
  }
}

async function fetchKeys(url: string): Promise<JsonWebKey[]> {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(5_000) })
    const { keys } = (await answer.json()) as { keys?: JsonWebKey[] }
    return Array.isArray(keys) ? keys.filter((key) => key.kty === 'EC' || key.kty === 'RSA') : []
  } catch {
    return [] // There is no key set, and the cases that need one say so.
  }
}
