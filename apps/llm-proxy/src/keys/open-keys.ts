import type { Catalog } from '../providers/provider-definition.ts'
import { sendableHeaders } from '../relay/header-policy.ts'
import type { Loop } from '../relay/loop.ts'
import { createKeyCipher } from './cipher.ts'
import { createKeyCheck } from './key-check.ts'
import { readKeyEncryptionKeys } from './key-encryption-keys.ts'
import { createKeyRing } from './key-ring.ts'
import { createKeys } from './keys.ts'
import type { Keys } from './keys.ts'
import type { KeyRing } from './open-key.ts'
import { openKeyStore } from './open-store.ts'
import type { OpenStoreOptions } from './open-store.ts'

/** The users' provider keys: as calls need them, and as their owners manage them. @throws ConfigError */
export function openKeys({
  catalog,
  loop,
  ...options
}: OpenStoreOptions & { catalog: Catalog; loop: Pick<Loop, 'via'> }): {
  ring: KeyRing
  keys: Keys
} {
  const { config, http } = options
  const store = openKeyStore(options)
  const cipher = createKeyCipher(readKeyEncryptionKeys(config.PROVIDER_KEY_ENCRYPTION_KEYS))
  const ring = createKeyRing({
    ...{ store, cipher },
    cacheMs: config.KEY_CACHE_SECONDS * 1_000,
    maxUsers: config.KEY_CACHE_USERS,
  })
  const client = http.external({
    allowHeaders: sendableHeaders(catalog.all()),
    allowPrivateOrigins: config.PRIVATE_UPSTREAMS,
  })
  const keys = createKeys({
    ...{ store, cipher, ring, catalog },
    check: createKeyCheck(client, { timeoutMs: config.KEY_CHECK_TIMEOUT_MS, via: loop.via() }),
    mostPerUser: config.KEYS_PER_USER_MAX,
    privateOrigins: config.PRIVATE_UPSTREAMS,
  })
  return { ring, keys }
}
