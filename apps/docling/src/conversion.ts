import type { docling } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { ProblemCode, UserPrincipal } from '@waybill/service-kit'
import { SPAN, withSpan } from '@waybill/telemetry'
import type { LlmProxy } from './clients.ts'
import { ConversionError } from './convert/conversion-error.ts'
import type { ConversionFailure } from './convert/conversion-error.ts'
import type { Converted } from './convert/convert.ts'
import { checkOptions } from './options.ts'
import type { WorkerPool } from './worker-pool.ts'

/** One document as it was sent, and what is to be done with it. */
interface ConversionRequest {
  name: string
  bytes: Uint8Array
  options: docling.ConvertOptions
}

export interface Conversions {
  /**
   * Converts a document and, if asked, counts its tokens or has it indexed, on behalf of `principal`. Nothing is kept of a
   * document that could not be converted.
   * @throws Problem unprocessable (naming the document and what is wrong with it), timeout, forbidden, or what
   *   llm-proxy answered
   */
  run(
    request: ConversionRequest,
    principal: UserPrincipal,
    signal: AbortSignal,
  ): Promise<docling.ConvertResponse>
}

export interface ConversionParts {
  pool: WorkerPool
  llmProxy: LlmProxy
  maxChars: number
}

const CODES: Readonly<Record<ConversionFailure, ProblemCode>> = {
  empty: 'unprocessable',
  unsupported_format: 'unprocessable',
  format_mismatch: 'unprocessable',
  encrypted: 'unprocessable',
  broken: 'unprocessable',
  too_large: 'unprocessable',
  out_of_memory: 'unprocessable',
  crashed: 'unprocessable',
  timeout: 'timeout',
}

export function createConversions({ pool, llmProxy, maxChars }: ConversionParts): Conversions {
  return {
    async run({ name, bytes, options }, principal, signal) {
      checkOptions(options, principal)
      const started = performance.now()
      const converted = await withSpan(SPAN.convert, {}, () =>
        pool.convert({ name, bytes, maxChars }, signal),
      ).catch((error: unknown) => explain(name, error))
      const seconds = (performance.now() - started) / 1000
      const kept = await keepOrCount(name, converted, options, llmProxy)
      return { ...describe(name, converted, options, seconds), waybill: { ...notes(converted), ...kept } }
    },
  }
}

async function keepOrCount(
  name: string,
  converted: Converted,
  { index, tokens, collection }: docling.ConvertOptions,
  llmProxy: LlmProxy,
) {
  if (index) {
    if (converted.text === '')
      throw new Problem('unprocessable', `${name} holds no text that could be indexed.`)
    return llmProxy.index(name, converted, collection)
  }
  return tokens ? { tokens: await llmProxy.countTokens(converted.markdown) } : {}
}

function describe(
  name: string,
  { markdown, text }: Converted,
  { to_formats }: docling.ConvertOptions,
  seconds: number,
) {
  return {
    document: {
      filename: name,
      md_content: to_formats.includes('md') ? markdown : null,
      text_content: to_formats.includes('text') ? text : null,
      json_content: null,
      html_content: null,
      doctags_content: null,
    },
    status: 'success' as const,
    errors: [],
    processing_time: seconds,
    timings: {},
  }
}

function notes({ title, pages, warnings }: Converted) {
  return { title: title ?? null, pages: pages ?? null, warnings }
}

function explain(name: string, error: unknown): never {
  if (!(error instanceof ConversionError)) throw error
  throw new Problem(CODES[error.failure], `${name} ${error.message}.`, {
    extensions: { document: name, reason: error.failure },
    cause: error,
  })
}
