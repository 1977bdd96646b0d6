/** An answer with a status, headers or body of its own, for handlers that need more than the route's status. */
export class Reply {
  readonly status: number
  readonly body: unknown
  readonly headers: Record<string, string>

  constructor(status: number, body: unknown, headers: Record<string, string>) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** Answers `body` as JSON (or nothing, when undefined) with `status` and `headers`; the route's output schema still applies. */
export function reply(status: number, body?: unknown, headers: Record<string, string> = {}): Reply {
  return new Reply(status, body, headers)
}
