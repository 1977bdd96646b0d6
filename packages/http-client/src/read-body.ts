import { buffer } from 'node:stream/consumers'
import { fromWireError } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import type { WireResponse } from './transport.ts'
import { WireError } from './wire-error.ts'

/** The whole body as JSON, or as text when it is none; undefined when it is empty. */
export async function readJson(response: WireResponse, call: CallName): Promise<unknown> {
  const bytes = await buffer(response.body).catch((error: unknown) => {
    throw fromWireError(
      error instanceof WireError ? error : new WireError('broken', 'the answer broke off'),
      call,
    )
  })
  if (bytes.length === 0) return undefined
  const text = bytes.toString('utf8')
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
