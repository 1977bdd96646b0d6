import { SDK_SCHEMES, user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { countTokens } from '../tokenizing.ts'
import type { Tokenizer } from '../tokens/tokenizer.ts'
import type { LocalCalls } from '../usage/local-calls.ts'

export function tokenizeRoutes(tokenizer: Tokenizer, { counted }: Pick<LocalCalls, 'counted'>): Route[] {
  return [
    route(llmProxy.tokenize, {
      auth: user('agents.query'),
      describes: { schemes: SDK_SCHEMES.headers },
      handle: ({ body, principal, signal }) => counted(principal, () => countTokens(body, tokenizer, signal)),
    }),
  ]
}
