import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { llmProxy } from '@waybill/contracts'
import supertest from 'supertest'
import { expect } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

export const GOOD = 'sk-good-0123456789abcdWXYZ'

type Method = 'get' | 'post' | 'patch' | 'delete'

/** A user of one's own for each test, so that none sees the keys of another. */
interface KeysUser {
  name: string
  call: (method: Method, path: string, body?: object) => Promise<supertest.Response>
  /** Adds a key that the provider believes, for openai unless said. */
  add: (more?: object) => Promise<llmProxy.ProviderKey>
}

export interface KeysService {
  setting: Setting
  /** What the provider was asked since the last time. */
  asked(): { url: string; headers: IncomingHttpHeaders }[]
  newUser(scope?: string): KeysUser
  close(): Promise<void>
}

/** llm-proxy with a provider that judges keys by what stands in them; nobody is where mistral should be. */
export async function startKeysService(): Promise<KeysService> {
  let asked: { url: string; headers: IncomingHttpHeaders }[] = []
  const vendor = createServer((req, res) => {
    asked.push({ url: req.url ?? '', headers: req.headers })
    const key = req.headers.authorization ?? req.headers['x-api-key'] ?? req.headers['x-goog-api-key'] ?? ''
    if (String(key).includes('limited')) res.writeHead(403).end('Missing scopes: api.model.read')
    else if (String(key).includes('busy')) res.writeHead(429).end()
    else if (String(key).includes('hung')) res.writeHead(403).write('half of an')
    else if (String(key).includes('google')) res.writeHead(400).end('{"reason":"API_KEY_INVALID"}')
    else res.writeHead(String(key).includes('good') ? 200 : 401).end('{}')
  })
  await new Promise<void>((resolve) => vendor.listen(0, '127.0.0.1', resolve))
  const vendorUrl = `http://127.0.0.1:${String((vendor.address() as AddressInfo).port)}`
  const names = ['openai', 'anthropic', 'gemini', 'openrouter']
  const folder = mkdtempSync(join(tmpdir(), 'waybill-keys-'))
  const withoutKey = join(folder, 'providers.json')
  const ollama = { name: 'ollama', protocol: 'openai', base_url: vendorUrl, private: true, needs_key: false }
  // Vouched for as a provider, and for nothing else.
  const inner = { name: 'inner', protocol: 'openai', base_url: 'https://localhost:9', private: true }
  const unvouched = { name: 'unvouched', protocol: 'openai', base_url: 'https://localhost:9' }
  writeFileSync(withoutKey, JSON.stringify({ providers: [ollama, inner, unvouched] }))
  const setting = await startSetting({
    PROVIDER_URLS: [...names.map((name) => `${name}=${vendorUrl}`), 'mistral=http://127.0.0.1:9'].join(','),
    PROVIDERS_FILE: withoutKey,
    PRIVATE_UPSTREAMS: 'http://10.1.2.3:8000',
    KEYS_PER_USER_MAX: '4',
    KEY_CHECK_TIMEOUT_MS: '1500',
  })
  rmSync(folder, { recursive: true })
  let users = 0
  return {
    setting,
    asked() {
      const all = asked
      asked = []
      return all
    },
    newUser(scope) {
      users += 1
      const name = `user-${String(users)}`
      const call: KeysUser['call'] = async (method, path, body) => {
        const request = supertest(setting.service.app)
        return request[method](path)
          .set('Authorization', `Bearer ${await setting.tokenOf(name, scope)}`)
          .send(body)
      }
      return {
        ...{ name, call },
        async add(more = {}) {
          const answer = await call('post', '/keys', { provider: 'openai', key: GOOD, ...more })
          expect(answer.status, answer.text).toBe(201)
          return answer.body as llmProxy.ProviderKey // as the contract, which the service holds it to
        },
      }
    },
    async close() {
      await setting.close()
      vendor.closeAllConnections()
      vendor.close()
    },
  }
}
