import type { Readable } from 'node:stream'
import { DownstreamError } from '@waybill/http-client'
import type { ExternalClient } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { CachedAnswer, CacheKey, ResponseCache } from '../cache/response-cache.ts'
import type { KeyRing, OpenKey } from '../keys/open-key.ts'
import type { ProviderDefinition } from '../providers/provider-definition.ts'
import type { AttemptOutcome, Attempts, Target } from '../routing/routing.ts'
import { readQuota } from '../routing/used-up-quota.ts'
import type { RelayCall } from './call.ts'
import { ofOwnPlace } from './failure.ts'
import { credentialHeaders, requestHeaders } from './header-policy.ts'
import { outgoingTo } from './outgoing.ts'
import type { Outgoing, Sent } from './outgoing.ts'
import { upstreamUrl } from './upstream-url.ts'

/** The answer of a provider, its body not yet read. */
export interface Answered {
  status: number
  headers: Record<string, unknown>
  body: Readable
  /** What it was asked with; undefined when that was no key. */
  secret: Secret | undefined
}

/** Where a request ended up: at a provider that answered, or with an answer that was given before. */
export interface Reached {
  target: Target
  /** Without the body, which is not needed any more and may be large. */
  sent: Sent
  keyId: string | undefined
  /** Where the answer is to be kept. */
  cacheKey: CacheKey | undefined
  result: { answer: Answered } | { cached: CachedAnswer }
}

export interface AttemptOptions {
  keys: Pick<KeyRing, 'open'>
  cache: ResponseCache
  upstream: Pick<ExternalClient, 'send'>
  via: string
  connectMs: number
  firstByteMs: number
  /** When all must be over, in milliseconds since the epoch. */
  deadline: number
}

/**
 * Goes from target to target until one answers in a way that is not to be tried again. The last answer is given back
 * whatever it says, the last failure thrown; a place that could not be asked counts only when no other was.
 * @throws Problem of the KeyRing or of Routing, DownstreamError when no answer comes
 */
export async function attempt(
  call: RelayCall,
  attempts: Attempts,
  options: AttemptOptions,
): Promise<Reached> {
  let last: Made | undefined
  try {
    for (;;) {
      const target = await attempts.next(call.signal)
      if (!target) break
      const made = await once(target, call, attempts, options)
      // A place that could not be asked, because there is no key for it, takes nothing away from what is there already.
      if (!last || made.outcome.kind !== 'skipped' || call.signal.aborted) {
        giveUp(last)
        last = made
      }
      if (!attempts.failed(made.outcome)) break
    }
  } catch (error) {
    giveUp(last)
    throw error
  }
  if (!last) throw new Problem('unavailable', 'No provider can be asked at the moment.')
  if ('failure' in last) throw last.failure
  return last.reached
}

type Made = { outcome: AttemptOutcome } & ({ reached: Reached } | { failure: unknown })

async function once(
  target: Target,
  call: RelayCall,
  { mayRepeat }: Pick<Attempts, 'mayRepeat'>,
  options: AttemptOptions,
): Promise<Made> {
  let ready: Ready
  try {
    ready = await prepare(target, call, options)
  } catch (failure) {
    return { outcome: { kind: 'skipped' }, failure }
  }
  const { outgoing, key, headers, cacheKey, cached } = ready
  const { body, ...sent } = outgoing
  const reached = { target, sent, keyId: key?.id, cacheKey }
  // It counts as answered, so that nothing else is tried, and says nothing of the provider.
  if (cached) {
    const outcome = { kind: 'answered', status: 200, ownEndpoint: true } as const
    return { outcome, reached: { ...reached, result: { cached } } }
  }

  const { provider } = target
  const ownEndpoint = key?.baseUrl !== undefined
  const baseUrl = key?.baseUrl ?? provider.baseUrl
  const leftMs = options.deadline - Date.now()
  try {
    const answer = await options.upstream.send({
      method: call.method,
      url: upstreamUrl(
        { baseUrl, query: provider.query },
        { path: outgoing.destination.path, query: call.query },
      ),
      headers: key
        ? { ...headers, ...credentialHeaders(provider, key.secret.reveal(), outgoing.destination.path) }
        : headers,
      ...(body !== undefined && { body }),
      connectTimeoutMs: options.connectMs,
      timeoutMs: Math.max(1, Math.min(options.firstByteMs, leftMs)),
      // Whoever vouches for the provider's address does not vouch for that of a user's key.
      allowPrivate: provider.allowPrivate && !ownEndpoint,
      signal: call.signal,
    })
    // To look into an error holds back its head: only where it decides whether it is tried again.
    const quota =
      answer.status === 429 && mayRepeat
        ? await readQuota(answer.body)
        : { body: answer.body, isUsedUp: false }
    // Nobody may be listening yet when it breaks.
    quota.body.on('error', () => undefined)
    const outcome = outcomeOf(answer)
    return {
      outcome: { ...outcome, final: outcome.final || quota.isUsedUp, ownEndpoint },
      reached: { ...reached, result: { answer: { ...answer, body: quota.body, secret: key?.secret } } },
    }
  } catch (error) {
    const failure = ownEndpoint ? error : ofOwnPlace(error, provider.name)
    const own = Buffer.isBuffer(body) ? undefined : body?.errored
    // The client's body was too much, or broke off: as good as an answer, nothing to try elsewhere, and nothing of the provider.
    if (own instanceof Problem)
      return { outcome: { kind: 'answered', status: own.status, ownEndpoint: true }, failure: own }
    const kind = kindOf(failure, { isCutShort: leftMs < options.firstByteMs || call.signal.aborted })
    return { outcome: kind === 'skipped' ? { kind } : { kind, ownEndpoint }, failure }
  }
}

interface Ready {
  outgoing: Outgoing
  key: OpenKey | undefined
  /** Without the key's. */
  headers: Record<string, string>
  cacheKey: CacheKey | undefined
  cached: CachedAnswer | undefined
}

async function prepare(
  target: Target,
  call: RelayCall,
  { keys, cache, via }: AttemptOptions,
): Promise<Ready> {
  const { provider } = target
  const { principal, signal } = call
  const outgoing = outgoingTo(target, call)
  const isStreaming = outgoing.body !== undefined && !Buffer.isBuffer(outgoing.body)
  const headers = { ...requestHeaders(call.headers, provider, { isStreaming, via }), ...outgoing.headers }
  let key: OpenKey | undefined
  if (provider.needsKey) {
    key = await keys.open(principal, provider.name, target.key ?? keyFor(provider, call))
    signal.throwIfAborted()
  }
  const { draft } = call
  if (!draft) return { outgoing, key, headers, cacheKey: undefined, cached: undefined }
  const cacheKey = cache.keyOf({
    userId: principal.userId,
    provider: provider.name,
    key: key ? `${key.id} ${key.version}` : '',
    operation: call.operation,
    method: call.method,
    path: `${outgoing.destination.path}?${call.query}`,
    // What the client sent, and what becomes of it: the same bytes to the provider may be another answer to the client.
    headers: { ...headers, ':protocol': call.protocol.name, ':model': target.model ?? call.model ?? '' },
    body: draft.bytes,
    cacheControl: textOf(call.headers['cache-control']),
  })
  return { outgoing, key, headers, cacheKey, cached: cacheKey && cache.get(cacheKey) }
}

/** The key that the request names is one for the provider that it names; elsewhere the default one is used. */
function keyFor({ name }: ProviderDefinition, call: RelayCall): string | undefined {
  return name === call.provider.name ? textOf(call.headers['x-provider-key']) : undefined
}

/** An answer that another attempt takes the place of is not read on. */
function giveUp(made: Made | undefined): void {
  if (made && 'reached' in made && 'answer' in made.reached.result) made.reached.result.answer.body.destroy()
}

function outcomeOf({ status, headers }: Pick<Answered, 'status' | 'headers'>) {
  return {
    kind: 'answered' as const,
    status,
    retryAfterMs: retryAfter(headers),
    final: headers['x-should-retry'] === 'false',
  }
}

function kindOf(
  failure: unknown,
  { isCutShort }: { isCutShort: boolean },
): 'refused' | 'broken' | 'timeout' | 'late' | 'skipped' {
  if (!(failure instanceof DownstreamError) || failure.code === 'client_closed') return 'skipped'
  if (!failure.sent) return 'refused'
  if (failure.code !== 'timeout') return 'broken'
  return isCutShort ? 'late' : 'timeout'
}

/** How long a provider asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` in seconds or as a date. */
function retryAfter(headers: Record<string, unknown>): number | undefined {
  const ms = textOf(headers['retry-after-ms'])
  if (ms !== undefined && Number(ms) >= 0) return Number(ms)
  const after = textOf(headers['retry-after'])
  if (after === undefined) return undefined
  const seconds = Number(after)
  const wait = Number.isNaN(seconds) ? Date.parse(after) - Date.now() : seconds * 1000
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
