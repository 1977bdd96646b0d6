/** An answer as it is before faults get at it. */
export interface Reply {
  status: number
  headers: Readonly<Record<string, string>>
  /** Text of a body that comes whole, or the frames of a stream. */
  body: string | Buffer | Iterable<string>
}

export const EVENT_STREAM = 'text/event-stream; charset=utf-8'

/** Vendors indent their JSON or not; `indent` is the number of spaces. */
export function json(value: unknown, { status = 200, headers = {}, indent = 0 } = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(value, undefined, indent) + (indent > 0 ? '\n' : ''),
  }
}

export function stream(frames: Iterable<string>, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status: 200,
    headers: { 'content-type': EVENT_STREAM, 'cache-control': 'no-cache', ...headers },
    body: frames,
  }
}

/** A frame of server-sent events with an event's name, as Anthropic and OpenAI's responses have them. */
export function namedFrame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

export function frame(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}
