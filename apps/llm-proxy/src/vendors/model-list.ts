import type { ExternalClient } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'
import type { Logger, UserPrincipal } from '@waybill/service-kit'
import { LRUCache } from 'lru-cache'
import type { KeyRing, OpenKey } from '../keys/open-key.ts'
import { readUpTo } from '../keys/read-up-to.ts'
import { ANTHROPIC_VERSION } from '../protocols/anthropic.ts'
import { isObject, listOf, objectOf, parseJson } from '../protocols/json.ts'
import type { JsonObject } from '../protocols/json.ts'
import type { Catalog, ProviderDefinition } from '../providers/provider-definition.ts'
import { credentialHeaders } from '../relay/header-policy.ts'
import type { Loop } from '../relay/loop.ts'
import { upstreamUrl } from '../relay/upstream-url.ts'
import { isOnV1 } from '../relay/v1-destination.ts'
import type { ChatTranslations } from '../relay/v1-destination.ts'
import { shareWork } from './shared-work.ts'
import type { SharedWork } from './shared-work.ts'

/** A model as OpenAI lists it; `created` in seconds since the epoch. */
export interface ListedModel {
  id: string
  created: number
  owned_by: string
}

export interface ModelListOptions {
  catalog: Catalog
  keys: KeyRing
  upstream: Pick<ExternalClient, 'send'>
  loop: Pick<Loop, 'via'>
  translations: ChatTranslations
  cacheSeconds: number
  cacheEntries: number
  /** For each provider. */
  timeoutMs: number
  /** Of a provider's answer. */
  maxBytes: number
}

/** The models that providers list for a user's own keys, of those that can be asked on `/v1/*`. */
export interface ModelList {
  /**
   * Ids begin with the provider's name. A provider that fails, or takes too long, is left out and logged.
   * @throws the reason of `signal`, and asks no provider any more that nobody else waits for
   */
  of(principal: UserPrincipal, log: Logger, signal: AbortSignal): Promise<ListedModel[]>
}

export function createModelList({ catalog, keys, translations, ...options }: ModelListOptions): ModelList {
  // The work itself: those who ask at the same time ask the provider once.
  const cache = new LRUCache<string, SharedWork<ListedModel[]>>({
    max: options.cacheEntries,
    ttl: Math.max(1, options.cacheSeconds * 1000),
  })

  const listed = async (
    provider: ProviderDefinition,
    principal: UserPrincipal,
    signal: AbortSignal,
  ): Promise<ListedModel[]> => {
    const key = provider.needsKey ? await keys.open(principal, provider.name) : undefined
    signal.throwIfAborted()
    if (options.cacheSeconds === 0) return ask(provider, key, options, signal)
    const name = JSON.stringify([principal.userId, provider.name, key?.id, key?.version])
    const known = cache.get(name)
    if (known) return known.wait(signal)
    const asked = shareWork(
      (abandoned) => ask(provider, key, options, abandoned),
      () => cache.delete(name),
    )
    cache.set(name, asked)
    return asked.wait(signal)
  }

  return {
    async of(principal, log, signal) {
      const withKeys = new Set(await keys.providersOf(principal))
      const asked = catalog
        .all()
        .filter((one) => isOnV1(one, translations) && (!one.needsKey || withKeys.has(one.name)))
      const lists = await Promise.all(
        asked.map((provider) =>
          listed(provider, principal, signal).catch((error: unknown) => {
            signal.throwIfAborted()
            log.warn({ err: error, provider: provider.name }, 'a provider did not list its models')
            return []
          }),
        ),
      )
      return lists.flat()
    },
  }
}

/** Anthropic lists its own way, and twenty at a time unless asked for more. */
const ANTHROPIC = { path: '/v1/models', query: 'limit=1000', headers: ANTHROPIC_VERSION }

async function ask(
  provider: ProviderDefinition,
  key: OpenKey | undefined,
  { upstream, loop, timeoutMs, maxBytes }: Omit<ModelListOptions, 'catalog' | 'keys' | 'translations'>,
  signal: AbortSignal,
): Promise<ListedModel[]> {
  const { name, openAiPath } = provider
  const place =
    openAiPath === undefined ? ANTHROPIC : { path: `${openAiPath}/models`, query: '', headers: undefined }
  const { status, body } = await upstream.send({
    method: 'GET',
    url: upstreamUrl({ baseUrl: key?.baseUrl ?? provider.baseUrl, query: provider.query }, place),
    headers: {
      accept: 'application/json',
      via: loop.via(),
      ...place.headers,
      ...(key && credentialHeaders(provider, key.secret.reveal(), place.path)),
    },
    allowPrivate: provider.allowPrivate && key?.baseUrl === undefined,
    timeoutMs,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  })
  try {
    if (status !== 200) {
      throw new Problem('upstream_failed', `${name} answered ${String(status)} when asked for its models.`)
    }
    const models = parseJson(await readUpTo(body, maxBytes))
    if (!isObject(models)) throw new Problem('upstream_failed', `${name} did not list its models.`)
    return listOf(models.data)
      .map(objectOf)
      .flatMap((model) => modelOf(model, name))
  } finally {
    body.destroy()
  }
}

function modelOf(
  { id, created, created_at: at, owned_by: owner }: JsonObject,
  provider: string,
): ListedModel[] {
  if (typeof id !== 'string' || id === '') return []
  return [
    {
      // Gemini's have its resource path before them.
      id: `${provider}/${id.replace(/^models\//, '')}`,
      created: secondsOf(created, at),
      owned_by: typeof owner === 'string' ? owner : provider,
    },
  ]
}

function secondsOf(created: unknown, at: unknown): number {
  if (typeof created === 'number' && Number.isSafeInteger(created)) return created
  const time = typeof at === 'string' ? Date.parse(at) : Number.NaN
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000)
}
