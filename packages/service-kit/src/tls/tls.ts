import { createHash } from 'node:crypto'
import { ConfigError } from '../config.ts'
import type { ConfigProblem } from '../config.ts'
import { createLogger } from '../logger.ts'
import type { Logger } from '../logger.ts'
import { readMaterial } from './material.ts'
import type { TlsMaterial } from './material.ts'
import type { TlsConfig } from './tls-env.ts'
import { watchFiles } from './watch-files.ts'

/** The TLS files of a service as they are now: one for its listener, its client and the judge of its peers. */
export interface Tls {
  /** Services are known by `spiffe://<trust domain>/svc/<name>`. */
  trustDomain: string
  current(): TlsMaterial
  /** Hears of every swap until the returned function is called. */
  onSwap(listener: (material: TlsMaterial) => void): () => void
  /** No longer looks at the files. createService does this at its end. */
  close(): void
}

/** Time enough for a person to look why nobody has renewed the certificate. */
const WARNING_MS = 2 * 3_600_000

export interface TlsOptions {
  service: string
  config: TlsConfig & { LOG_LEVEL?: string }
  logger?: Logger | undefined
}

/**
 * Reads the TLS files and keeps watching them; undefined when TLS is not configured. New files are taken up whole: a
 * certificate without its key, or a broken one, is logged and what was there before stays in use.
 * @throws ConfigError
 */
export function openTls({ service, config, logger }: TlsOptions): Tls | undefined {
  const problems = contradictions(config)
  if (problems.length > 0) throw new ConfigError(problems)
  if (config.TLS_CERT_FILE === '') return undefined
  const log = logger ?? createLogger({ service, ...(config.LOG_LEVEL && { level: config.LOG_LEVEL }) })
  const listeners = new Set<(material: TlsMaterial) => void>()
  let material = readMaterial(config)
  let lastFailure = ''
  let warnedOf = 0

  const warnOfEnd = (): void => {
    const { validUntil } = material
    if (validUntil - Date.now() > WARNING_MS || warnedOf === validUntil) return
    warnedOf = validUntil
    log.warn({ expires: new Date(validUntil).toISOString() }, 'the TLS certificate is about to expire')
  }
  const look = (): void => {
    try {
      const fresh = readMaterial(config)
      lastFailure = ''
      warnOfEnd()
      if (digest(fresh) === digest(material)) return
      // The same bundle stays the same object: what was judged by it is still right.
      const trust = fresh.authorities === material.authorities ? material.trust : fresh.trust
      material = { ...fresh, trust }
      log.info('certificates were replaced')
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unreadable'
      // Said once, not at every look.
      if (reason !== lastFailure) log.error({ reason }, 'new TLS files are not usable; the old ones stay')
      lastFailure = reason
      return
    }
    for (const listener of listeners) listener(material)
  }
  const files = [config.TLS_CERT_FILE, config.TLS_KEY_FILE, config.TLS_CA_FILE].filter((file) => file !== '')
  const stopWatching = watchFiles(files, config.TLS_RELOAD_INTERVAL_MS, look)
  return {
    trustDomain: config.SPIFFE_TRUST_DOMAIN,
    current: () => material,
    onSwap(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      stopWatching()
      listeners.clear()
    },
  }
}

function contradictions(config: TlsConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const needs = (variable: keyof TlsConfig, beside: string): void => {
    if (config[variable] === '') problems.push({ variable, message: `is required beside ${beside}` })
  }
  if (config.TLS_CERT_FILE !== '') needs('TLS_KEY_FILE', 'TLS_CERT_FILE')
  if (config.TLS_KEY_FILE !== '') needs('TLS_CERT_FILE', 'TLS_KEY_FILE')
  if (config.TLS_CA_FILE !== '') needs('TLS_CERT_FILE', 'TLS_CA_FILE')
  if (config.TLS_CLIENT_AUTH !== 'off') {
    const beside = `TLS_CLIENT_AUTH=${config.TLS_CLIENT_AUTH}`
    if (config.TLS_CA_FILE === '') needs('TLS_CERT_FILE', beside)
    needs('TLS_CA_FILE', beside)
    if (!config.TLS_LISTEN)
      problems.push({ variable: 'TLS_LISTEN', message: `must be true beside ${beside}` })
  }
  return problems
}

function digest({ certificate, key, authorities = '' }: TlsMaterial): string {
  return createHash('sha256')
    .update(JSON.stringify([certificate, key.reveal(), authorities]))
    .digest('hex')
}
