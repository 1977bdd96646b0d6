import type { IncomingHttpHeaders } from 'node:http'
import { anthropic } from './anthropic/vendor.ts'
import { gemini } from './gemini/vendor.ts'
import { openAi } from './openai/vendor.ts'
import type { Vendor } from './vendor.ts'

/** Google's versions; its SDK asks for `v1` when it has a base URL. */
const GOOGLE = /^\/(v1beta|v1alpha)\/(?!openai\/)|^\/v1\/models\/[^/]+:\w+$/

/** Whose API a request is for: `/v1/models` is of all three, told apart by the headers that their clients send. */
export function vendorOf(path: string, headers: IncomingHttpHeaders): Vendor {
  if (GOOGLE.test(path) || (headers['x-goog-api-key'] !== undefined && path === '/v1/models')) return gemini
  if (path.startsWith('/v1/messages') || headers['anthropic-version'] !== undefined) return anthropic
  return openAi
}
