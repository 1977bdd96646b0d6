import { user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { countTokens } from '../tokenizing.ts'
import type { Tokenizer } from '../tokens/tokenizer.ts'

export function tokenizeRoutes(tokenizer: Tokenizer): Route[] {
  return [
    route(llmProxy.tokenize, {
      auth: user('agents.query'),
      handle: ({ body, signal }) => countTokens(body, tokenizer, signal),
    }),
  ]
}
