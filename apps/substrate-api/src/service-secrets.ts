import { createHash } from 'node:crypto'
import { createServiceSecrets } from '@waybill/auth'
import type { ServiceSecrets } from '@waybill/auth'
import { ConfigError } from '@waybill/service-kit'
import type { Config } from './config.ts'

/** The only service that may come with a secret in clear: SUBSTRATE_SERVICE_SECRET says whose it is by its history. */
const OWNER = 'work-platform'
const MAX_LIVE = 2

/**
 * The static secrets that services may come with; undefined when none is configured, and then a Bearer that is no token is
 * a bad token. @throws ConfigError when work-platform would have more than two
 */
export function serviceSecretsOf(
  { SUBSTRATE_SERVICE_SECRET: inClear, SERVICE_SECRETS: hashes }: Config,
  options: { now?: () => number } = {},
): ServiceSecrets | undefined {
  const all = new Map(hashes)
  if (inClear) {
    const hash = createHash('sha256').update(inClear.reveal()).digest()
    const others = (all.get(OWNER) ?? []).filter((known) => !known.hash.equals(hash))
    if (others.length >= MAX_LIVE) {
      const message = `would be a third secret of ${OWNER}, beside the two in SERVICE_SECRETS`
      throw new ConfigError([{ variable: 'SUBSTRATE_SERVICE_SECRET', message }])
    }
    all.set(OWNER, [...others, { hash }])
  }
  return all.size === 0 ? undefined : createServiceSecrets(all, options)
}
