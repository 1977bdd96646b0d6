import { user } from '@waybill/auth'
import { docling } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route, UserPrincipal } from '@waybill/service-kit'
import type { Conversions } from '../conversion.ts'
import type { WorkerPool } from '../worker-pool.ts'
import { withinArrival } from './arrival.ts'
import { formReader } from './form.ts'
import { readSource, unreadSourceEndpoint } from './source.ts'

/** Room for the fields and boundaries of a form, and for the JSON around a document. */
const ENVELOPE_BYTES = 1024 ** 2

export interface ConvertRouteParts {
  conversions: Conversions
  pool: WorkerPool
  maxFileBytes: number
  /** Milliseconds that a document may take to arrive. */
  uploadTimeoutMs: number
}

/**
 * The two synchronous conversions of docling-serve v1: a form, or JSON with base64. Both take their place before they
 * read: what waits in memory is bounded with the queue.
 */
export function convertRoutes({
  conversions,
  pool,
  maxFileBytes,
  uploadTimeoutMs: timeoutMs,
}: ConvertRouteParts): Route[] {
  const readForm = formReader(maxFileBytes)
  const formBytes = maxFileBytes + ENVELOPE_BYTES
  const jsonBytes = Math.ceil(maxFileBytes / 3) * 4 + ENVELOPE_BYTES
  const sourceLimits = { bodyBytes: jsonBytes, fileBytes: maxFileBytes }
  const common = {
    auth: user('tasks.create'),
    problems: [
      'payload_too_large',
      'unsupported_media_type',
      'unprocessable',
      'rate_limited',
      'unavailable',
      'timeout',
    ],
  } as const

  return [
    route(docling.convertFile, {
      ...common,
      bodyType: 'multipart',
      bodyLimitBytes: formBytes,
      handle: ({ req, res, principal, signal }) =>
        inPlace(pool, principal, async () => {
          const form = await withinArrival(req, { signal, timeoutMs }, () => readForm(req, res))
          return conversions.run(form, principal, signal)
        }),
    }),
    route(unreadSourceEndpoint(), {
      ...common,
      problems: [...common.problems, 'invalid_json'],
      bodyType: 'stream',
      bodyLimitBytes: jsonBytes,
      handle: ({ req, principal, signal }) =>
        inPlace(pool, principal, async () => {
          const source = await withinArrival(req, { signal, timeoutMs }, () => readSource(req, sourceLimits))
          return conversions.run(source, principal, signal)
        }),
    }),
  ]
}

async function inPlace<T>(pool: WorkerPool, { userId }: UserPrincipal, work: () => Promise<T>): Promise<T> {
  const place = pool.admit(userId)
  try {
    return await work()
  } finally {
    place.leave()
  }
}
