import { docling } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Request, Response } from 'express'
import multer from 'multer'
import { documentName } from '../document-name.ts'

const MAX_FIELDS = 100
const MAX_FIELD_BYTES = 64 * 1024
const MAX_FIELD_NAME_BYTES = 200

export interface ConvertForm {
  name: string
  bytes: Buffer
  options: docling.ConvertOptions
}

/**
 * A reader of `multipart/form-data` (RFC 7578) with one document in the part `files`, kept in memory, and options as
 * fields.
 * @returns the form, of which the name is a bare file name
 */
export function formReader(maxFileBytes: number): (req: Request, res: Response) => Promise<ConvertForm> {
  const parse = multer({
    storage: multer.memoryStorage(),
    // Browsers send UTF-8; the parser's own default, latin1, garbles every other name.
    defParamCharset: 'utf8',
    limits: {
      fileSize: maxFileBytes,
      files: 1,
      fields: MAX_FIELDS,
      fieldSize: MAX_FIELD_BYTES,
      fieldNameSize: MAX_FIELD_NAME_BYTES,
    },
  }).single('files')
  return async (req, res) => {
    if (!req.is('multipart/form-data'))
      throw new Problem(
        'unsupported_media_type',
        'Send a form of type multipart/form-data with one part named files.',
      )
    await new Promise<void>((resolve, reject) => {
      parse(req, res, (error?: unknown) => {
        if (error === undefined || error === null) resolve()
        else reject(asProblem(error, maxFileBytes))
      })
    })
    if (!req.file)
      throw new Problem('unprocessable', 'The form has no document: send it as a part named files.')
    const fields: unknown = req.body
    return { name: documentName(req.file.originalname), bytes: req.file.buffer, options: readOptions(fields) }
  }
}

/** docling-serve answers 422 where a field is wrong, and so does this. */
function readOptions(fields: unknown): docling.ConvertOptions {
  const result = docling.convertOptions.safeParse({ ...(typeof fields === 'object' && fields) })
  if (result.success) return result.data
  const errors = result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
  const [first] = errors
  throw new Problem('unprocessable', `${first?.path ?? 'the form'}: ${first?.message ?? 'is not valid'}`, {
    extensions: { errors },
  })
}

function asProblem(error: unknown, maxFileBytes: number): Problem {
  if (!(error instanceof multer.MulterError))
    return new Problem('bad_request', 'The form cannot be read: it is cut short or malformed.', {
      cause: error,
    })
  switch (error.code) {
    case 'LIMIT_FILE_SIZE':
      return new Problem(
        'payload_too_large',
        `The document is larger than ${maxFileBytes} bytes (DOCLING_MAX_FILE_BYTES).`,
      )
    case 'LIMIT_FILE_COUNT':
      return new Problem('unprocessable', 'Send one document per request; the form has more.')
    case 'LIMIT_UNEXPECTED_FILE':
      // multer reports a second part of the right name in the same way.
      return new Problem(
        'unprocessable',
        error.field === 'files'
          ? 'Send one document per request; the form has more.'
          : 'The document must be in the part named files; the form has a file under another name.',
      )
    case 'LIMIT_FIELD_VALUE':
    case 'LIMIT_FIELD_COUNT':
    case 'LIMIT_FIELD_KEY':
    case 'LIMIT_PART_COUNT':
      return new Problem(
        'payload_too_large',
        `The form has too many or too large fields: at most ${MAX_FIELDS} of ${MAX_FIELD_BYTES} bytes.`,
      )
    default:
      return new Problem('bad_request', 'The form cannot be read: a field is malformed.', { cause: error })
  }
}
