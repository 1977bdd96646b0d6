import { pipeline } from 'node:stream/promises'
import { SDK_SCHEMES } from '@waybill/auth'
import type { SdkCredentials } from '@waybill/auth'
import { isAmbiguousPath, llmProxy } from '@waybill/contracts'
import type { InternalClient } from '@waybill/http-client'
import { Problem, route } from '@waybill/service-kit'
import type { ProblemCode, Route, RouteInput } from '@waybill/service-kit'
import { limitBody } from '../body-limit.ts'
import { withoutParameter } from '../query.ts'
import type { FrontDoor, Upstream } from '../upstreams.ts'

type Incoming = RouteInput<unknown, unknown, unknown, unknown>['req']

export interface ForwardOptions {
  clients: Record<Upstream, InternalClient>
  /** For the patient doors, which all lead to llm-proxy: `timeoutMs` is in milliseconds. */
  patient: { client: InternalClient; timeoutMs: number }
  bodyLimitBytes: number
  sdkCredentials: SdkCredentials
}

/** Those of the door, and what the services behind say of a request that they have no use for. */
const PROBLEMS: readonly ProblemCode[] = [
  ...(['bad_request', 'not_found', 'method_not_allowed', 'payload_too_large'] as const),
  ...(['unsupported_media_type', 'upstream_failed', 'unavailable', 'timeout'] as const),
]

/** One route per front door: the request goes on as it came, but with an identity that was verified here. */
export function forwardRoutes(doors: readonly FrontDoor[], options: ForwardOptions): Route[] {
  const { clients, patient, bodyLimitBytes, sdkCredentials } = options
  return doors.map((door) =>
    route('ALL', door.path, {
      auth: door.auth,
      summary: `${door.summary} (${door.upstream})`,
      bodyType: 'stream',
      problems: door.patient ? [...PROBLEMS, 'loop_detected'] : PROBLEMS,
      describes: { answers: ['*/*'], schemes: schemesAt(sdkCredentials(door.path)) },
      ...(door.patient && { timeoutMs: patient.timeoutMs }),
      ...(door.protocol && { renderProblem: llmProxy.ERROR_SHAPES[door.protocol] }),
      async handle({ req, res }) {
        const path = pathBehind(door, req.originalUrl)
        const limited = hasBody(req) ? limitBody(req, bodyLimitBytes) : undefined
        const client = door.patient ? patient.client : clients[door.upstream]
        const forwarded = client.forward({
          method: req.method,
          path,
          headers: req.headers,
          body: limited?.body,
          anonymous: door.auth.open,
          ...(door.patient && { timeoutMs: patient.timeoutMs }),
          stamp: {
            'X-Forwarded-For': req.ip ?? '',
            'X-Forwarded-Proto': req.protocol,
            'X-Forwarded-Host': req.headers.host ?? '',
          },
        })
        const answer = await (limited ? Promise.race([forwarded, limited.exceeded]) : forwarded)
        res.status(answer.status)
        const { location } = answer.headers
        if (typeof location === 'string') answer.headers.location = locationBefore(door, location)
        for (const [name, value] of Object.entries(answer.headers)) res.setHeader(name, value)
        // Headers at once: whoever waits for a stream shall see that it has begun.
        res.flushHeaders()
        await pipeline(answer.body, res).catch((error: unknown) => {
          throw new Problem('upstream_failed', `${door.upstream} broke off its answer.`, { cause: error })
        })
      },
    }),
  )
}

function schemesAt(place: ReturnType<SdkCredentials>) {
  return place ? SDK_SCHEMES[place] : []
}

/** What a service answers to those who run it, and not to those who use it. */
const HOUSEKEEPING = new Set(['/metrics', '/livez', '/readyz'])

/**
 * The path for the service behind.
 * @throws Problem bad_request for a path that the two sides of the door could read differently, not_found for one that is
 * not for users
 */
function pathBehind({ prefix = '', protocol }: FrontDoor, url: string): string {
  const [path = ''] = url.split('?')
  if (isAmbiguousPath(withSlashes(path))) {
    throw new Problem('bad_request', 'The path holds a segment that is not accepted.')
  }
  // As the service behind would read it: Express minds neither case nor a slash at the end.
  const read = path.slice(prefix.length).toLowerCase().replace(/\/+$/, '')
  if (prefix !== '' && HOUSEKEEPING.has(read)) {
    throw new Problem('not_found', `There is no ${path} here.`)
  }
  // The caller's credential has been read, and is for nobody behind.
  return protocol ? withoutParameter(url, 'key') : url.slice(prefix.length)
}

/** The one place where an encoded slash is a slash to both sides: names of models have them, and OpenAI's SDK encodes those. */
function withSlashes(path: string): string {
  return /^\/v1\/models\//i.test(path) ? path.replaceAll(/%2f/gi, '/') : path
}

/** A path of the service behind, as it is from outside. */
function locationBefore({ prefix = '' }: FrontDoor, location: string): string {
  return location.startsWith('/') ? prefix + location : location
}

function hasBody(req: Incoming): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
}
