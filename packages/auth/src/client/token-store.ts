/** What login and refresh answer; `expires_in` in seconds. */
export interface Session {
  access_token: string
  refresh_token: string
  token_type: string
  expires_in: number
  user_id: string
  username: string
  role: string
}

/** What a login leaves behind. */
export interface Tokens {
  userId: string
  accessToken: string
  refreshToken: string
  /** When the access token ends, in milliseconds since the epoch, by this machine's clock. */
  expiresAt: number
}

/**
 * Where tokens are kept. Two clients, two tabs for one, may share a store: each reads it anew before it uses or renews
 * what is in it. Storage that scripts of the page can read gives the tokens to every script that gets into the page.
 */
export interface TokenStore {
  get(): Tokens | undefined | Promise<Tokens | undefined>
  /** `undefined` forgets them. */
  set(tokens: Tokens | undefined): void | Promise<void>
}

export function memoryStore(): TokenStore {
  let kept: Tokens | undefined
  return { get: () => kept, set: (tokens) => void (kept = tokens) }
}

/** `now` in milliseconds since the epoch. */
export function tokensOf(session: Session, now: number): Tokens {
  return {
    userId: session.user_id,
    accessToken: session.access_token,
    refreshToken: session.refresh_token,
    expiresAt: now + session.expires_in * 1000,
  }
}
