import { docling } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'

const FORMATS: readonly string[] = docling.OUTPUT_FORMATS
const DEFAULT_TARGET = 'inbody'

/**
 * Refuses what an option asks for and this service does not do.
 * @throws Problem unprocessable, forbidden (a `user_id` that is not the caller's)
 */
export function checkOptions(options: docling.ConvertOptions, principal: UserPrincipal): void {
  const unknown = options.to_formats.find((format) => !FORMATS.includes(format))
  if (unknown !== undefined) {
    throw new Problem(
      'unprocessable',
      `to_formats: ${JSON.stringify(unknown.slice(0, 40))} is not among the formats of this service (${FORMATS.join(', ')}).`,
    )
  }
  checkTarget(options.target_type)
  if (options.user_id !== undefined && options.user_id !== principal.userId)
    throw new Problem('forbidden', 'user_id is not the id of the caller.')
}

/** @throws Problem unprocessable for any target but the body of the answer. */
export function checkTarget(kind: string): void {
  if (kind === DEFAULT_TARGET) return
  // docling-serve's own clients ask for this target first, and fall back to the body on exactly these words.
  const detail =
    kind === 'presigned_url'
      ? 'Presigned URL target requires artifact storage to be configured and enabled on the server.'
      : `The target ${JSON.stringify(kind.slice(0, 40))} is not supported; results come in the body.`
  throw new Problem('unprocessable', detail)
}
