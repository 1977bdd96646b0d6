/** Why a call did not come about, or what the server said against it. Holds no token, and no text of the server's but its `code`. */
export class AuthClientError extends Error {
  /**
   * `session_over` (log in again), `foreign_origin`, `redirect_refused`, `wrong_credential` (a session asked of a client
   * with an API key), or the `code` of the server's problem document; `unknown` when it gave none.
   */
  readonly code: string
  /** The HTTP status; 0 when nothing was answered. */
  readonly status: number
  readonly requestId: string | undefined

  constructor(
    code: string,
    message: string,
    answer: { status?: number; requestId?: string | undefined } = {},
  ) {
    super(message)
    this.name = 'AuthClientError'
    this.code = code
    this.status = answer.status ?? 0
    this.requestId = answer.requestId
  }
}

/** The code of a problem document (RFC 9457). The answer's body is still there to be read afterwards. */
export async function codeOf(answer: Response): Promise<string> {
  try {
    const { code } = (await answer.clone().json()) as { code?: unknown } // null throws, which is caught
    return typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : 'unknown'
  } catch {
    return 'unknown'
  }
}

export async function errorOf(call: string, answer: Response): Promise<AuthClientError> {
  const code = await codeOf(answer)
  const requestId = answer.headers.get('X-Request-ID') ?? undefined
  return new AuthClientError(code, `${call} was answered ${answer.status} (${code}).`, {
    status: answer.status,
    requestId,
  })
}

export function sessionOver(answer?: Response): AuthClientError {
  const requestId = answer?.headers.get('X-Request-ID') ?? undefined
  return new AuthClientError('session_over', 'The session is over: log in again.', {
    status: answer?.status ?? 0,
    requestId,
  })
}
