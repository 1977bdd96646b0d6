import { user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route, RouteInput } from '@waybill/service-kit'
import { answerFromMemory } from '../answering.ts'
import type { AnsweringOptions } from '../answering.ts'
import { embedTexts } from '../embedding-texts.ts'
import type { EmbeddingOptions } from '../embedding-texts.ts'
import type { Indexing } from '../indexing.ts'
import { summarizeText } from '../summarizing.ts'
import type { SummarizingOptions } from '../summarizing.ts'
import { countTokens } from '../tokenizing.ts'
import type { Vendors } from '../vendors/ask.ts'

export interface Operations {
  indexing: Indexing
  answering: AnsweringOptions
  summarizing: SummarizingOptions
  embedding: EmbeddingOptions
}

/** What the operations write and read in data_store is written and read as the user: there, `memory.*` is needed too. */
export function executeRoutes(operations: Operations, { withKeyOf }: Pick<Vendors, 'withKeyOf'>): Route[] {
  return [
    route(llmProxy.execute, {
      auth: user('agents.query'),
      problems: [
        'not_found',
        'payload_too_large',
        'unprocessable',
        'upstream_failed',
        'unavailable',
        'timeout',
      ],
      handle: ({ req, body, log, signal }) =>
        withKeyOf(req.headers, () => execute(body, operations, { log, signal })),
    }),
  ]
}

async function execute(
  request: llmProxy.ExecuteRequest,
  { indexing, answering, summarizing, embedding }: Operations,
  { log, signal }: Pick<RouteInput<unknown, unknown, unknown, unknown>, 'log' | 'signal'>,
) {
  switch (request.operation) {
    case 'index':
      return indexing.index(request.input, log, signal)
    case 'answer':
      return answerFromMemory(request.input, answering, signal)
    case 'summarize':
      return summarizeText(request.input, summarizing, signal)
    case 'embed': {
      const { vectors, model, tokens } = await embedTexts(request.input, embedding, signal)
      return { embeddings: vectors, dimensions: vectors[0]?.length ?? 0, model, tokens }
    }
    case 'tokenize':
      return countTokens(request.input, embedding.tokenizer, signal)
  }
}
