import { PassThrough } from 'node:stream'
import { docling } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Request } from 'express'
import { z } from 'zod'
import { documentName } from '../document-name.ts'
import { checkTarget } from '../options.ts'

const JSON_TYPES = ['application/json', 'application/*+json']
const MAX_ERRORS = 20

/**
 * The endpoint as the router sees it: its body is documented but neither read nor checked before the handler runs,
 * because a document takes its place in the queue first.
 */
export function unreadSourceEndpoint() {
  const schema = z.toJSONSchema(docling.convertSourceRequest, { io: 'input', unrepresentable: 'any' })
  return { ...docling.convertSource, body: z.unknown().meta({ ...schema }) }
}

/**
 * Reads the JSON body of `/v1/convert/source`: one document, in base64.
 * @throws Problem payload_too_large, unsupported_media_type, invalid_json, validation_failed, unprocessable
 */
export async function readSource(req: Request, limits: { bodyBytes: number; fileBytes: number }) {
  const { sources, options, target } = validate(await readJson(req, limits.bodyBytes))
  checkTarget(target.kind)
  const [source, ...more] = sources
  if (!source || more.length > 0)
    throw new Problem('unprocessable', `Send one document per request; sources has ${sources.length}.`)
  if (source.kind === 'http')
    throw new Problem('unprocessable', 'Sources of kind http are not enabled: this service fetches nothing.')
  const bytes = Buffer.from(source.base64_string, 'base64')
  if (bytes.length > limits.fileBytes) {
    throw new Problem(
      'payload_too_large',
      `The document is larger than ${limits.fileBytes} bytes (DOCLING_MAX_FILE_BYTES).`,
    )
  }
  return { name: documentName(source.filename), bytes, options }
}

/** No body reads as an empty object, so that what is missing is named. */
async function readJson(req: Request, limitBytes: number): Promise<unknown> {
  if (req.is(JSON_TYPES) === false)
    throw new Problem('unsupported_media_type', 'This route takes a body of type application/json.')
  if ((req.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
    throw new Problem('unsupported_media_type', 'This route takes no Content-Encoding.')
  const text = new TextDecoder().decode(await readBytes(req, limitBytes))
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Problem('invalid_json', 'The body cannot be parsed as JSON.', { cause })
  }
}

async function readBytes(req: Request, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  const body: AsyncIterable<Buffer> = req.pipe(new PassThrough())
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > limitBytes) {
      throw new Problem(
        'payload_too_large',
        `The body is larger than the ${limitBytes} bytes that this route accepts.`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function validate(body: unknown): docling.ConvertSourceRequest {
  const result = docling.convertSourceRequest.safeParse(body)
  if (result.success) return result.data
  const errors = result.error.issues.map(({ path, message }) => ({
    in: 'body',
    path: path.join('.'),
    message,
  }))
  const [first] = errors
  const where = ['body', first?.path].filter(Boolean).join('.')
  throw new Problem('validation_failed', `${where}: ${first?.message ?? 'is not valid'}`, {
    extensions: { errors: errors.slice(0, MAX_ERRORS) },
  })
}
