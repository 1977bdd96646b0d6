import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'
import type { Operation } from '../protocols/protocol.ts'
import { readDraft } from './draft.ts'
import type { Draft } from './draft.ts'
import { beyondLimits } from './json-values.ts'
import type { JsonLimits } from './json-values.ts'
import { hasBody, isJson, limited, readWhole, refuseEncoded } from './request-body.ts'

/** The body of a request: JSON that was read and judged, or bytes that stream. */
export interface IncomingBody {
  draft: Draft | undefined
  body: Readable | undefined
}

export interface BodyLimits {
  bodyLimitBytes: number
  /** Of a JSON body. */
  maxJson: JsonLimits
}

/**
 * Reads JSON whole and lets other types stream. Where it is known what is asked (`operation`), only JSON is taken.
 * @throws Problem payload_too_large, unsupported_media_type, invalid_json, bad_request, client_closed; the signal's reason
 * when it aborts before JSON is there
 */
export async function incomingBody(
  req: IncomingMessage,
  operation: Operation,
  { bodyLimitBytes, maxJson }: BodyLimits,
  signal: AbortSignal,
): Promise<IncomingBody> {
  if (!hasBody(req)) return { draft: undefined, body: undefined }
  refuseEncoded(req)
  if (isJson(req)) {
    const bytes = await readWhole(req, bodyLimitBytes, signal)
    const beyond = beyondLimits(bytes, maxJson)
    if (beyond === 'values') throw tooMany(maxJson.values)
    if (beyond === 'depth') throw tooDeep(maxJson.depth)
    return { draft: readDraft(bytes), body: undefined }
  }
  if (operation !== 'other') {
    throw new Problem('unsupported_media_type', 'This path takes a body of type application/json.')
  }
  return { draft: undefined, body: limited(req, bodyLimitBytes) }
}

function tooMany(most: number): Problem {
  return new Problem(
    'payload_too_large',
    `The body holds more than the ${most} JSON values that this route accepts.`,
  )
}

function tooDeep(most: number): Problem {
  return new Problem(
    'bad_request',
    `The body has lists and objects more than ${most} deep in one another, the most that this route accepts.`,
  )
}
