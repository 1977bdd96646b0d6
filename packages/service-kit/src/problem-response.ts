import type { Response } from 'express'
import { activeTrace } from '@waybill/telemetry'
import { requestContext } from './context.ts'
import { Problem } from './problem.ts'
import type { ProblemCode } from './problem.ts'

/** The body of an error answer: RFC 9457, with `error` for clients that know nothing of it. */
export interface ProblemDocument {
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  error: string
  request_id?: string
  trace_id?: string
  [extension: string]: unknown
}

/** Turns whatever was thrown into a Problem. What nobody foresaw becomes `internal`, and its message stays inside. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return (
    fromBodyParser(error) ?? new Problem('internal', 'Something went wrong on our side.', { cause: error })
  )
}

const BODY_PARSER: Record<string, [ProblemCode, string]> = {
  'entity.parse.failed': ['invalid_json', 'The body cannot be parsed as JSON.'],
  'entity.too.large': ['payload_too_large', 'The body is larger than this route accepts.'],
  'encoding.unsupported': ['unsupported_media_type', 'This Content-Encoding is not supported.'],
  'charset.unsupported': ['unsupported_media_type', 'This charset is not supported.'],
  'request.size.invalid': ['bad_request', 'The body is not as long as Content-Length says.'],
  'request.aborted': ['client_closed', 'The request ended before its body was complete.'],
}

/** body-parser and Express throw plain errors with a `type` or `status`; they are the client's fault. */
function fromBodyParser(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const { type, status, limit, expose } = error as Error & {
    type?: string
    status?: number
    limit?: number
    expose?: boolean
  }
  const known = type === undefined ? undefined : BODY_PARSER[type]
  if (known) {
    const detail = limit === undefined ? known[1] : `${known[1]} The limit is ${String(limit)} bytes.`
    return new Problem(known[0], detail, { cause: error })
  }
  // http-errors marks what may be shown; the router does not mark a path that it cannot decode. Other errors that
  // happen to have a status, a vendor's for one, are none of the client's.
  const isTheClients = status === 400 && (expose === true || error instanceof URIError)
  return isTheClients
    ? new Problem('bad_request', 'The request cannot be read.', { cause: error })
    : undefined
}

/** The document that a client sees for `problem`, with the ids of the current request. */
export function problemDocument(problem: Problem): ProblemDocument {
  const trace = activeTrace()
  const requestId = requestContext()?.requestId
  return {
    type: `urn:waybill:problem:${problem.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.code === 'internal' ? 'Something went wrong on our side.' : problem.message,
    code: problem.code,
    error: problem.title,
    ...(requestId && { request_id: requestId }),
    ...(trace && { trace_id: trace.traceId }),
    ...problem.extensions,
  }
}

/** What may have been set already for the answer that did not come about. */
const REPRESENTATION =
  /^(?:content-|etag$|last-modified$|accept-ranges$|set-cookie$|transfer-encoding$|trailer$)/

/**
 * Answers with `problem`. `render` may give a body in another protocol's error shape (OpenAI's, say); status and
 * headers stay the same.
 */
export function sendProblem(
  res: Response,
  problem: Problem,
  render?: (document: ProblemDocument) => unknown,
): void {
  const document = problemDocument(problem)
  for (const name of res.getHeaderNames()) if (REPRESENTATION.test(name)) res.removeHeader(name)
  res.status(problem.status).set(problem.headers).set('Cache-Control', 'no-store')
  const challenge = problem.headers['WWW-Authenticate'] ?? challengeFor(problem)
  if (challenge) res.set('WWW-Authenticate', challenge)
  if (render) res.json(render(document))
  else res.type('application/problem+json').send(JSON.stringify(document))
}

/** RFC 6750 section 3: no `error` when no credential was sent, `insufficient_scope` with the scope when it is too weak. */
export function challengeFor(problem: Problem): string | undefined {
  const realm = 'Bearer realm="waybill"'
  if (problem.code === 'unauthenticated') return realm
  if (problem.code === 'insufficient_permission') {
    const scope = problem.extensions.permission
    return `${realm}, error="insufficient_scope"${typeof scope === 'string' ? `, scope="${scope}"` : ''}`
  }
  return problem.status === 401
    ? `${realm}, error="invalid_token", error_description="${problem.title}"`
    : undefined
}
