import type { IncomingMessage } from 'node:http'
import { Problem } from '@waybill/service-kit'
import { z } from 'zod'
import { oauthProblem } from './oauth-problem.ts'

/** No form of the OAuth endpoints is longer, whatever tokens it holds. */
export const FORM_LIMIT_BYTES = 32 * 1024

/** What a client adds to any form that does not authenticate by a header (client_secret_post, tls_client_auth). */
export const clientFields = { client_id: z.string().optional(), client_secret: z.string().optional() }

/** What is asked about (RFC 7662 section 2.1), or taken back (RFC 7009 section 2.1). */
export const tokenForm = z.object({ token: z.string(), token_type_hint: z.string().optional() })

/** What can go wrong with a form of a client, for the documentation. */
export const FORM_PROBLEMS = [
  'bad_request',
  'invalid_credentials',
  'rate_limited',
  'unsupported_media_type',
  'payload_too_large',
] as const

const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i

/**
 * The fields of a form body within `limitBytes`. A field without a value counts as absent, and none may come twice
 * (RFC 6749 section 3.2).
 * @throws Problem unsupported_media_type, payload_too_large, bad_request
 */
export async function readForm(
  req: IncomingMessage,
  limitBytes: number,
): Promise<ReadonlyMap<string, string>> {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = req.headers
  if (!FORM_TYPE.test(type) || encoding !== 'identity') {
    throw new Problem('unsupported_media_type', 'The body must be application/x-www-form-urlencoded.')
  }
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(await readText(req, limitBytes))) {
    if (value === '') continue
    if (fields.has(name)) throw oauthProblem('invalid_request', 'A parameter is there twice.')
    fields.set(name, value)
  }
  return fields
}

async function readText(req: IncomingMessage, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  // Left alone when it is too long, and not destroyed: the answer goes out by the same socket.
  const body = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer> // no encoding is set on it
  for await (const chunk of body) {
    size += chunk.length
    if (size > limitBytes) {
      throw new Problem('payload_too_large', `The body is larger than ${limitBytes} bytes.`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The fields as `schema` has them. @throws Problem with `invalid_request`, naming the first field that is wrong */
export function parseForm<S extends z.ZodObject>(schema: S, form: ReadonlyMap<string, string>): z.output<S> {
  const result = schema.safeParse(Object.fromEntries(form))
  if (result.success) return result.data
  const field = String(result.error.issues[0]?.path[0])
  throw oauthProblem('invalid_request', `${field} is missing or not acceptable.`)
}
