import { llmProxy } from '@waybill/contracts'
import type { HttpClient } from '@waybill/http-client'
import type { Converted } from './convert/convert.ts'

/** What docling asks of llm-proxy, always on behalf of the user whose request is being served. */
export interface LlmProxy {
  /** Keeps the passages of a document in the memory of the user. */
  index(name: string, converted: Converted, collection?: string): Promise<llmProxy.IndexOutput>
  /** @returns the number of tokens, by llm-proxy's default model. */
  countTokens(text: string): Promise<number>
}

export function createLlmProxy(http: HttpClient, baseUrl: string): LlmProxy {
  const client = http.internal('llm-proxy', baseUrl)
  return {
    index(name, { text, markdown }, collection) {
      const document = { name, text, markdown }
      const input = { document, ...(collection !== undefined && { collection }) }
      return client.call(llmProxy.index, { body: { operation: 'index', input } })
    },
    async countTokens(text) {
      const { tokens } = await client.call(llmProxy.tokenize, { body: { text }, idempotent: true })
      return tokens
    },
  }
}
