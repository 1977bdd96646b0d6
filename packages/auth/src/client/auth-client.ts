import { AuthClientError, codeOf, errorOf, sessionOver } from './auth-client-error.ts'
import { sendTo, urlAt } from './send.ts'
import type { RequestOptions } from './send.ts'
import { memoryStore, tokensOf } from './token-store.ts'
import type { Session, Tokens, TokenStore } from './token-store.ts'

export interface AuthClientOptions {
  /** Where `/auth/login` is. Credentials go to its origin and to no other. */
  baseUrl: string
  /** Sent as `X-API-Key` in place of a session. */
  apiKey?: string
  /** In memory by default. */
  store?: TokenStore
  /** How long before its end an access token is renewed, in milliseconds. */
  refreshBeforeMs?: number
  /** Milliseconds since the epoch. */
  now?: () => number
}

/**
 * Logs in, keeps the session alive, and makes requests with it; in Node and in browsers, with `fetch` alone. A server
 * that cannot be reached never ends a session; one that refuses to renew it does.
 * @example
 * const client = new AuthClient({ baseUrl: 'http://localhost:8080' })
 * await client.login('john_doe', password)
 * const answer = await client.request('GET', '/auth/me')
 */
export class AuthClient {
  readonly #base: URL
  readonly #apiKey: string | undefined
  readonly #store: TokenStore
  readonly #refreshBeforeMs: number
  readonly #now: () => number
  #renewal: Promise<Tokens> | undefined

  constructor({ baseUrl, apiKey, store, refreshBeforeMs = 30_000, now = Date.now }: AuthClientOptions) {
    this.#base = new URL(baseUrl)
    this.#apiKey = apiKey
    this.#store = store ?? memoryStore()
    this.#refreshBeforeMs = refreshBeforeMs
    this.#now = now
  }

  /** @throws AuthClientError with the code of the refusal, `invalid_credentials` or `rate_limited` for instance */
  async login(username: string, password: string): Promise<Session> {
    if (this.#apiKey !== undefined)
      throw new AuthClientError('wrong_credential', 'A client with an API key has no session.')
    const answer = await this.#send('POST', '/auth/login', { json: { username, password } }, {})
    if (!answer.ok) throw await errorOf('POST /auth/login', answer)
    const session = (await answer.json()) as Session // the contract of auth-service
    await this.#store.set(tokensOf(session, this.#now()))
    return session
  }

  /** Renews the session now; callers at the same time share one renewal. @throws AuthClientError `session_over` */
  async refresh(): Promise<void> {
    await this.#renew()
  }

  /** Ends the session, here whatever happens and on the server when it can be reached. */
  async logout(): Promise<void> {
    try {
      const answer = await this.request('POST', '/auth/logout')
      if (!answer.ok && answer.status !== 401) throw await errorOf('POST /auth/logout', answer)
    } catch (error) {
      if (!(error instanceof AuthClientError && error.code === 'session_over')) throw error
    } finally {
      await this.#store.set(undefined)
    }
  }

  /**
   * `fetch` with the credential; gives back the answer whatever its status, as seed clients' `makeRequest` does. `path`
   * is below the base URL, or a URL of its origin. An access token that is about to end, or is refused once, is renewed.
   * @throws AuthClientError `session_over`, `foreign_origin` or `redirect_refused`
   */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    if (this.#apiKey !== undefined) return this.#send(method, path, options, { 'X-API-Key': this.#apiKey })
    const held = await this.#store.get()
    if (!held) return this.#send(method, path, options, {})
    urlAt(this.#base, path)
    const tokens = await this.#fresh(held)
    // Somebody else has logged in meanwhile: nothing is done in their name.
    if (tokens.userId !== held.userId) throw sessionOver()
    const answer = await this.#send(method, path, options, bearer(tokens))
    if (answer.status !== 401 || options.body instanceof ReadableStream) return answer
    // A wrong password in the body is not the token's fault, and must not be tried twice.
    if ((await codeOf(answer)) === 'invalid_credentials') return answer
    const current = await this.#store.get()
    const renewed = current && current.accessToken !== tokens.accessToken ? current : await this.#renew()
    if (renewed.userId !== tokens.userId) return answer
    await answer.body?.cancel()
    return this.#send(method, path, options, bearer(renewed))
  }

  /** Tokens that do not end at once: an issuer that is away for a moment ends nothing while the old ones are good. */
  async #fresh(tokens: Tokens): Promise<Tokens> {
    const left = tokens.expiresAt - this.#now()
    if (left > this.#refreshBeforeMs) return tokens
    try {
      return await this.#renew()
    } catch (error) {
      if (left > 0 && !(error instanceof AuthClientError && error.code === 'session_over')) return tokens
      throw error
    }
  }

  #renew(): Promise<Tokens> {
    this.#renewal ??= this.#renewed().finally(() => (this.#renewal = undefined))
    return this.#renewal
  }

  async #renewed(): Promise<Tokens> {
    if (this.#apiKey !== undefined)
      throw new AuthClientError('wrong_credential', 'A client with an API key has no session.')
    const before = await this.#store.get()
    if (!before) throw sessionOver()
    const json = { refresh_token: before.refreshToken }
    const answer = await this.#send('POST', '/auth/refresh', { json }, {})
    const renewed = answer.ok ? tokensOf((await answer.json()) as Session, this.#now()) : undefined
    const current = await this.#store.get()
    // Whoever shares the store has logged out, or renewed the session first: what is there now counts.
    if (current?.refreshToken !== before.refreshToken) {
      if (current) return current
      throw sessionOver(answer)
    }
    if (!renewed && answer.status !== 401) throw await errorOf('POST /auth/refresh', answer)
    await this.#store.set(renewed)
    if (!renewed) throw sessionOver(answer)
    return renewed
  }

  #send(method: string, path: string, options: RequestOptions, credential: Record<string, string>) {
    return sendTo(this.#base, method, path, options, credential)
  }
}

function bearer({ accessToken }: Tokens): Record<string, string> {
  return { Authorization: `Bearer ${accessToken}` }
}
