import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { SERVICES } from '@waybill/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSecrets, serviceEnvironments, type Wiring } from '../src/index.ts'
import { perService } from '../src/services.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-secrets-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('secrets of development', () => {
  it('are the same for processes that make them at the same time', async () => {
    const module = new URL('../src/secrets.ts', import.meta.url).href
    const script = `import { loadSecrets } from '${module}'
      process.stdout.write(loadSecrets(process.argv[1]).serviceSecret('gateway'))`
    const printed = Array.from({ length: 6 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder])
      const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
      return output
    })
    const distinct = new Set(await Promise.all(printed))
    expect(distinct).toEqual(new Set([loadSecrets(folder).serviceSecret('gateway')]))
    expect(readdirSync(folder)).toEqual(['root-secret'])
  })

  it('are 32 bytes each, different for every purpose, and readable by their owner only', () => {
    const secrets = loadSecrets(folder)
    const all = [
      ...SERVICES.map((service) => Buffer.from(secrets.serviceSecret(service), 'base64url')),
      Buffer.from(secrets.signingKeyEncryptionKey, 'base64'),
      Buffer.from(secrets.providerKeyEncryptionKey, 'base64'),
      Buffer.from(secrets.databasePassword('data_store'), 'base64url'),
    ]
    expect(all.map((secret) => secret.length)).toEqual(all.map(() => 32))
    expect(new Set(all.map((secret) => secret.toString('hex'))).size).toBe(all.length)
    expect(statSync(join(folder, 'root-secret')).mode & 0o777).toBe(0o600)
  })

  it('are refused when the file is damaged, which is named', () => {
    writeFileSync(join(folder, 'root-secret'), 'short')
    expect(() => loadSecrets(folder)).toThrow(/root-secret is damaged/)
  })
})

describe('the environment of a service', () => {
  const wiring = (): Wiring => ({
    urls: perService((service) => `http://127.0.0.1:${9000 + SERVICES.indexOf(service)}`),
    postgres: {
      url: (service) => `postgresql://${service}`,
      migrationUrl: (service) => `postgresql://${service}_owner`,
    },
    secrets: loadSecrets(folder),
    traces: 'http://127.0.0.1:4318',
    dataDir: folder,
    relaxedLimits: true,
  })

  it('takes the settings of the user, but never their port, database or secret', () => {
    const user = { LOG_LEVEL: 'debug', LOGIN_LIMIT_PER_MINUTE: '7', JWT_EXPIRATION_HOURS: '1', MINE: 'x' }
    const process = {
      PORT: '1',
      DATABASE_URL: 'postgresql://elsewhere',
      SERVICE_SECRET: 'mine',
      npm_config_x: 'y',
    }
    const environments = serviceEnvironments(wiring(), { ...user, ...process })
    expect(environments.gateway).toMatchObject({
      ...user,
      PORT: '9000',
      REGISTRATION_LIMIT_PER_HOUR: '10000',
    })
    expect(environments.gateway).not.toHaveProperty('DATABASE_URL')
    expect(environments.gateway).not.toHaveProperty('npm_config_x')
    expect(environments.data_store.DATABASE_URL).toBe('postgresql://data_store')
    expect(environments.gateway.SERVICE_SECRET).not.toBe('mine')
  })

  it("has the user's own key-encryption keys in llm-proxy, and in no other service", () => {
    const own = { PROVIDER_KEY_ENCRYPTION_KEYS: 'v2:new,v1:old' }
    const { 'llm-proxy': llmProxy, ...others } = serviceEnvironments(wiring(), own)
    expect(llmProxy).toMatchObject(own)
    expect(JSON.stringify(others)).not.toContain('v2:new')
    const made = `v1:${loadSecrets(folder).providerKeyEncryptionKey}`
    for (const none of [{}, { PROVIDER_KEY_ENCRYPTION_KEYS: ' ' }])
      expect(serviceEnvironments(wiring(), none)['llm-proxy'].PROVIDER_KEY_ENCRYPTION_KEYS).toBe(made)
  })

  it('holds no secret of another service: auth-service knows hashes', () => {
    const environments = serviceEnvironments(wiring(), {})
    const clients = JSON.parse(environments['auth-service'].SERVICE_CLIENTS ?? '') as Record<string, string>
    expect(Object.keys(clients)).toEqual(SERVICES)
    expect(Object.values(clients).every((hash) => /^[0-9a-f]{64}$/.test(hash))).toBe(true)
    const others = SERVICES.filter((name) => name !== 'docling')
    const docling = JSON.stringify(environments.docling)
    expect(others.filter((name) => docling.includes(environments[name].SERVICE_SECRET ?? ''))).toEqual([])
    expect(docling).not.toContain('SIGNING_KEY')
  })
})
