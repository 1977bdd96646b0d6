import { randomUUID } from 'node:crypto'
import { hasPermission } from '@waybill/auth'
import type { llmProxy } from '@waybill/contracts'
import type { AuditEntry } from '@waybill/database'
import { Problem, Secret } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Catalog, ProviderDefinition } from '../providers/provider-definition.ts'
import { readBaseUrl } from './base-url.ts'
import type { KeyCipher, KeyIdentity } from './cipher.ts'
import type { CheckResult, KeyCheck } from './key-check.ts'
import { customUrlNotAllowed, noSuchKey, providerNeedsNoKey } from './key-problems.ts'
import type { CachedKeyRing } from './key-ring.ts'
import type { KeyStore, SealedSecret, StoredKey } from './key-store.ts'

export interface KeysOptions {
  store: KeyStore
  cipher: KeyCipher
  ring: Pick<CachedKeyRing, 'forget'>
  catalog: Catalog
  check: KeyCheck
  /** The most keys of a user. */
  mostPerUser: number
  /** Origins that a key may be sent to although they are private, or speak plain http. */
  privateOrigins: readonly string[]
}

/** A user's provider keys. What changes here is seen by the next call at once. */
export interface Keys {
  /**
   * @throws Problem unprocessable for a provider that is not there or needs no key, a base URL that may not be, a key that was to be checked and is
   * refused; insufficient_permission; conflict; upstream_failed when a key was to be checked and could not be
   */
  add(principal: UserPrincipal, request: llmProxy.AddKeyRequest): Promise<StoredKey>
  list(principal: UserPrincipal, provider?: string): Promise<StoredKey[]>
  /** @throws Problem not_found, as all below */
  read(principal: UserPrincipal, id: string): Promise<StoredKey>
  /** @throws Problem conflict */
  change(
    principal: UserPrincipal,
    id: string,
    change: { name?: string | undefined; default?: boolean | undefined },
  ): Promise<StoredKey>
  /** @throws Problem as `add` does when the new key is checked */
  rotate(principal: UserPrincipal, id: string, key: string, check: boolean): Promise<StoredKey>
  remove(principal: UserPrincipal, id: string): Promise<void>
  check(principal: UserPrincipal, id: string): Promise<{ result: CheckResult; key: StoredKey }>
}

/** A shorter key would be told to a third or more by four of its characters. */
const SHORTEST_SHOWN_CHARS = 12

export function createKeys(options: KeysOptions): Keys {
  const { store, cipher, ring, catalog, check, mostPerUser, privateOrigins } = options

  const read = async (principal: UserPrincipal, id: string): Promise<StoredKey> => {
    const row = (await store.list(principal)).find((one) => one.id === id)
    if (!row) throw noSuchKey()
    return row
  }
  /** However it ends: nobody may know whether a change was made. */
  const changing = async <T>(principal: UserPrincipal, work: () => Promise<T | undefined>): Promise<T> => {
    try {
      const done = await work()
      if (done === undefined) throw noSuchKey()
      return done
    } finally {
      ring.forget(principal.userId)
    }
  }
  const sealed = (identity: KeyIdentity, key: string): SealedSecret => ({
    ...cipher.seal(identity, new Secret(key)),
    lastFour: key.length < SHORTEST_SHOWN_CHARS ? '' : key.slice(-4),
  })
  /** What is refused is in the audit and nowhere else. */
  const mustBeGood = async (principal: UserPrincipal, identity: KeyIdentity, key: string): Promise<void> => {
    mayBeSent(principal, identity)
    const result = await check(providerOf(identity.provider), {
      secret: new Secret(key),
      baseUrl: identity.baseUrl,
    })
    if (result === 'valid') return
    await store.note(principal, entryOf('check', identity, { result }, 'failure'))
    throw result === 'refused' ? keyRefused(identity.provider) : notChecked(identity.provider)
  }
  const providerOf = (name: string): ProviderDefinition => {
    const provider = catalog.find(name)
    if (provider) return provider
    const names = catalog.all().map((one) => one.name)
    throw new Problem('unprocessable', `There is no such provider. There are: ${names.join(', ')}.`, {
      extensions: { reason: 'unknown_provider' },
    })
  }

  return {
    async add(
      principal,
      { provider, key, name, base_url: baseUrl, default: isDefault, check: checked = false },
    ) {
      if (!providerOf(provider).needsKey) throw providerNeedsNoKey(provider)
      if (baseUrl !== undefined && !mayNameUrls(principal)) throw customUrlNotAllowed()
      const id = randomUUID()
      const identity = {
        ...{ id, provider },
        userId: principal.userId,
        baseUrl: baseUrl === undefined ? null : readBaseUrl(baseUrl, privateOrigins),
      }
      if (checked) await mustBeGood(principal, identity, key)
      const called = name ?? `key-${id.slice(0, 8)}`
      const row = { ...identity, ...sealed(identity, key), name: called, isDefault, checked }
      const entry = entryOf('add', identity, { name: called })
      return changing(principal, () => store.add(principal, row, mostPerUser, entry))
    },

    async list(principal, provider) {
      const rows = await store.list(principal)
      return provider === undefined ? rows : rows.filter((row) => row.provider === provider)
    },

    read,

    async change(principal, id, { name, default: isDefault }) {
      const row = await read(principal, id)
      const details = {
        ...(name !== undefined && { name }),
        ...(isDefault !== undefined && { default: isDefault }),
      }
      const entry = entryOf(isDefault === undefined ? 'rename' : 'default', row, details)
      return changing(principal, () => store.change(principal, id, { name, isDefault }, entry))
    },

    async rotate(principal, id, key, checked) {
      const row = await read(principal, id)
      if (checked) await mustBeGood(principal, row, key)
      const change = { rotated: sealed(row, key), checked }
      return changing(principal, () => store.change(principal, id, change, entryOf('rotate', row)))
    },

    async remove(principal, id) {
      const row = await read(principal, id)
      await changing(principal, async () =>
        (await store.remove(principal, id, entryOf('delete', row))) ? row : undefined,
      )
    },

    async check(principal, id) {
      const row = await read(principal, id)
      mayBeSent(principal, row)
      const result = await check(providerOf(row.provider), { secret: cipher.open(row), baseUrl: row.baseUrl })
      if (result !== 'valid') {
        await store.note(principal, entryOf('check', row, { result }, 'failure'))
        return { result, key: row }
      }
      const entry = entryOf('check', row, { result })
      const key = await changing(principal, () => store.change(principal, id, { checked: true }, entry))
      return { result, key }
    },
  }
}

function mayNameUrls({ permissions }: UserPrincipal): boolean {
  return hasPermission(permissions, 'llm.custom_urls')
}

/** Whoever may not name places any more has nothing sent to those that they named. */
function mayBeSent(principal: UserPrincipal, { baseUrl }: KeyIdentity): void {
  if (baseUrl !== null && !mayNameUrls(principal)) throw customUrlNotAllowed()
}

function entryOf(
  action: 'add' | 'rotate' | 'delete' | 'default' | 'rename' | 'check',
  { id, provider, baseUrl }: KeyIdentity,
  details: Record<string, unknown> = {},
  outcome: 'success' | 'failure' = 'success',
): AuditEntry {
  return {
    action: `provider_key.${action}`,
    resource: `provider_key/${id}`,
    outcome,
    details: { provider, ...(baseUrl !== null && { base_url: baseUrl }), ...details },
  }
}

function keyRefused(provider: string): Problem {
  return new Problem('unprocessable', `${provider} does not accept this key. Nothing was stored.`, {
    extensions: { reason: 'key_refused' },
  })
}

function notChecked(provider: string): Problem {
  const detail = `${provider} could not be asked whether this key is good. Nothing was stored.`
  return new Problem('upstream_failed', detail, { extensions: { reason: 'provider_unreachable' } })
}
