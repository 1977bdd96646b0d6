import { buffer } from 'node:stream/consumers'
import { fromWireError } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import { WireError } from './transport.ts'
import type { WireResponse } from './transport.ts'

/** The whole body as JSON, or as text when it is none; undefined when it is empty. */
export async function readJson(response: WireResponse, call: CallName): Promise<unknown> {
  const bytes = await buffer(response.body).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code
    throw fromWireError(
      new WireError(code === 'ERR_CANCELED' ? 'aborted' : 'broken', 'the answer broke off'),
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
