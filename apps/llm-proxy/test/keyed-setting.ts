import { expect } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

/** The whole service, with provider keys that were added through it. */
export interface KeyedSetting extends Setting {
  addKey(key: { provider: string; key: string; name?: string; as?: string }): Promise<void>
  /** `body` is sent as it stands, with the token of `as`, which is alice unless said. */
  send(path: string, body: string, options?: SendOptions): Promise<Response>
}

interface SendOptions {
  as?: string
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** `urls`: where providers are, by name. */
export async function startKeyedSetting(
  urls: Record<string, string>,
  environment: Record<string, string> = {},
): Promise<KeyedSetting> {
  const setting = await startSetting({
    PROVIDER_URLS: Object.entries(urls)
      .map(([name, url]) => `${name}=${url}`)
      .join(','),
    ...environment,
  })
  return {
    ...setting,
    async addKey({ as, ...key }) {
      const { status } = await setting.post('/keys', key, as)
      expect(status).toBe(201)
    },
    async send(path, body, { as = 'alice', headers, signal } = {}) {
      const token = await setting.tokenOf(as)
      return fetch(setting.url + path, {
        method: 'POST',
        body,
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers },
        ...(signal && { signal }),
      })
    },
  }
}
