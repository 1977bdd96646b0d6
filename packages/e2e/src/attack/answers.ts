/** One answer as it came off the wire; bodies and headers are read as latin1, which loses nothing. */
export interface Answer {
  status: number
  /** Name in lower case, value; in order. */
  headers: readonly (readonly [string, string])[]
  body: string
  /** Status line, headers and body as they were sent. */
  raw: string
}

/** What was said before the connection ended without an answer. */
export const SILENCE: Answer = { status: 0, headers: [], body: '', raw: '' }

export function headerOf(answer: Answer, name: string): string | undefined {
  return answer.headers.find(([held]) => held === name.toLowerCase())?.[1]
}

/** The body as a JSON object; undefined when it is none. */
export function jsonOf(answer: Answer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(answer.body, 'latin1').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** For people: `401 invalid_token`. */
export function inWords(answer: Answer): string {
  if (answer.status === 0) return 'connection closed without an answer'
  const { code, error } = jsonOf(answer) ?? {}
  const said = typeof code === 'string' ? code : typeof error === 'string' ? error : ''
  return `${answer.status} ${said}`.trim().slice(0, 60)
}

/** Every final answer in what came over one connection; `method` is that of the first request. */
export function readAnswers(text: string, method: string): Answer[] {
  const answers: Answer[] = []
  let rest = text
  while (rest.startsWith('HTTP/')) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) break
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const status = Number(statusLine.split(' ')[1])
    const headers = lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    })
    const bodiless =
      status < 200 || status === 204 || status === 304 || (answers.length === 0 && method === 'HEAD')
    const after = rest.slice(end + 4)
    const [body, next] = bodiless ? ['', after] : readBody(new Map(headers), after)
    if (status >= 200) answers.push({ status, headers, body, raw: rest.slice(0, rest.length - next.length) })
    rest = next
  }
  return answers
}

function readBody(headers: ReadonlyMap<string, string>, text: string): [body: string, next: string] {
  if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) return readChunks(text)
  const length = Number(headers.get('content-length') ?? text.length)
  return [text.slice(0, length), text.slice(length)]
}

function readChunks(text: string): [body: string, next: string] {
  let body = ''
  let rest = text
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = parseInt(rest.slice(0, line), 16)
    if (line < 0 || !(size >= 0)) return [body, '']
    body += rest.slice(line + 2, line + 2 + size)
    rest = rest.slice(line + 4 + size)
    if (size === 0) return [body, rest]
  }
}
