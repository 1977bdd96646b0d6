import { z } from 'zod'
import { endpoint } from './endpoint.ts'
import { collectionName } from './llm-proxy/index.ts'

/**
 * docling: documents to Markdown and text, in the shapes of docling-serve's v1 API. What Waybill adds is in `waybill`
 * and in four option fields: `index`, `collection`, `tokens`, `user_id`.
 */

export const OUTPUT_FORMATS = ['md', 'text'] as const

/** A boolean as forms write it. */
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])

/** Options that docling-serve knows and this service does not are ignored, as docling-serve ignores unknown ones. */
export const convertOptions = z.object({
  /** `md` unless said. Any other format is refused with 422. */
  to_formats: z.union([z.string().transform((one) => [one]), z.array(z.string()).min(1)]).default(['md']),
  /** Keep the document's passages in the memory of the user, by way of llm-proxy. */
  index: flag.default(false),
  /** With `index`: the collection to keep them in. */
  collection: collectionName.optional(),
  /** Count the document's tokens, by way of llm-proxy. */
  tokens: flag.default(false),
  /** As older callers send it: accepted only if it is the caller's own id. */
  user_id: z.string().optional(),
  /** Where the result goes; `inbody` is the only target there is. */
  target_type: z.string().default('inbody'),
})
export type ConvertOptions = z.output<typeof convertOptions>

export const fileSource = z.object({
  kind: z.literal('file'),
  base64_string: z.base64(),
  filename: z.string().min(1).max(500),
})
export const httpSource = z.object({ kind: z.literal('http'), url: z.string() })

export const convertSourceRequest = z.object({
  options: convertOptions.prefault({}),
  sources: z.array(z.discriminatedUnion('kind', [fileSource, httpSource])).min(1),
  target: z.object({ kind: z.string() }).default({ kind: 'inbody' }),
})
export type ConvertSourceRequest = z.output<typeof convertSourceRequest>

/** Members that were not asked for are null. */
export const convertedDocument = z.object({
  filename: z.string(),
  md_content: z.string().nullable(),
  text_content: z.string().nullable(),
  json_content: z.null(),
  html_content: z.null(),
  doctags_content: z.null(),
})

export const conversionError = z.object({
  component_type: z.string(),
  module_name: z.string(),
  error_message: z.string(),
})

export const convertResponse = z.object({
  document: convertedDocument,
  status: z.enum(['success', 'failure']),
  errors: z.array(conversionError),
  /** In seconds. */
  processing_time: z.number(),
  timings: z.record(z.string(), z.number()),
  waybill: z.object({
    title: z.string().nullable(),
    /** Null where a format has none. */
    pages: z.int().nullable(),
    /** What was left out or guessed. */
    warnings: z.array(z.string()),
    /** With `tokens` or `index`. */
    tokens: z.int().optional(),
    /** These three with `index`. */
    chunks: z.int().optional(),
    collection: z.string().optional(),
    document_id: z.string().optional(),
  }),
})
export type ConvertResponse = z.output<typeof convertResponse>

const convert = {
  service: 'docling',
  method: 'POST',
  permission: 'tasks.create',
  output: convertResponse,
} as const

export const convertFile = endpoint({
  ...convert,
  path: '/v1/convert/file',
  summary: 'Converts an uploaded document; a form with one part named `files` and options as fields.',
})
export const convertSource = endpoint({
  ...convert,
  path: '/v1/convert/source',
  summary: 'Converts a document that is sent within JSON, in base64.',
  body: convertSourceRequest,
})
