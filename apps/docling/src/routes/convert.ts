import { user } from '@waybill/auth'
import { docling } from '@waybill/contracts'
import { Problem, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Conversions } from '../conversion.ts'
import { documentName } from '../document-name.ts'
import { checkTarget } from '../options.ts'
import type { WorkerPool } from '../worker-pool.ts'
import { formReader } from './form.ts'

/** Room for the fields and boundaries of a form, and for the JSON around a document. */
const ENVELOPE_BYTES = 1024 ** 2
const RETRY_AFTER_SECONDS = '2'

export interface ConvertRouteParts {
  conversions: Conversions
  pool: WorkerPool
  maxFileBytes: number
}

/** The two synchronous conversions of docling-serve v1: a form, or JSON with base64. */
export function convertRoutes({ conversions, pool, maxFileBytes }: ConvertRouteParts): Route[] {
  const readForm = formReader(maxFileBytes)
  const problems = ['payload_too_large', 'unprocessable', 'unavailable', 'timeout'] as const

  return [
    route(docling.convertFile, {
      auth: user('tasks.create'),
      bodyType: 'multipart',
      bodyLimitBytes: maxFileBytes + ENVELOPE_BYTES,
      problems: [...problems, 'unsupported_media_type'],
      handle: ({ req, res, principal, signal }) =>
        // The place is taken before the document is: what waits in memory is bounded with the queue.
        inPlace(pool, async () => conversions.run(await readForm(req, res), principal, signal)),
    }),
    route(docling.convertSource, {
      auth: user('tasks.create'),
      bodyLimitBytes: Math.ceil(maxFileBytes / 3) * 4 + ENVELOPE_BYTES,
      problems,
      handle: ({ body, principal, signal }) =>
        inPlace(pool, () => conversions.run(readSource(body, maxFileBytes), principal, signal)),
    }),
  ]
}

async function inPlace<T>(pool: WorkerPool, work: () => Promise<T>): Promise<T> {
  const place = pool.admit()
  if (!place) {
    throw new Problem(
      'unavailable',
      'As many documents as this service takes are being converted or wait. Try again.',
      {
        headers: { 'Retry-After': RETRY_AFTER_SECONDS },
      },
    )
  }
  try {
    return await work()
  } finally {
    place.leave()
  }
}

function readSource({ sources, options, target }: docling.ConvertSourceRequest, maxFileBytes: number) {
  checkTarget(target.kind)
  const [source, ...more] = sources
  if (!source || more.length > 0)
    throw new Problem('unprocessable', `Send one document per request; sources has ${sources.length}.`)
  if (source.kind === 'http')
    throw new Problem('unprocessable', 'Sources of kind http are not enabled: this service fetches nothing.')
  const bytes = Buffer.from(source.base64_string, 'base64')
  if (bytes.length > maxFileBytes) {
    throw new Problem(
      'payload_too_large',
      `The document is larger than ${maxFileBytes} bytes (DOCLING_MAX_FILE_BYTES).`,
    )
  }
  return { name: documentName(source.filename), bytes, options }
}
