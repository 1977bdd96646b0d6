import { SDK_SCHEMES, user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route, RouteInput, UserPrincipal } from '@waybill/service-kit'
import { answerFromMemory } from '../answering.ts'
import type { AnsweringOptions } from '../answering.ts'
import { embedTexts } from '../embedding-texts.ts'
import type { EmbeddingOptions } from '../embedding-texts.ts'
import type { Indexing } from '../indexing.ts'
import type { Model } from '../provider.ts'
import { summarizeText } from '../summarizing.ts'
import type { SummarizingOptions } from '../summarizing.ts'
import { countTokens } from '../tokenizing.ts'
import { DEFAULT_ENCODING } from '../tokens/encodings.ts'
import type { LocalCall, LocalCalls } from '../usage/local-calls.ts'
import { KEY_HEADER } from './described.ts'
import type { AnsweringHere } from './llm.ts'

export interface Operations {
  indexing: Indexing
  answering: AnsweringOptions
  summarizing: SummarizingOptions
  embedding: EmbeddingOptions
}

/** What the operations write and read in data_store is written and read as the user: there, `memory.*` is needed too. */
export function executeRoutes(
  operations: Operations,
  { vendors, localCalls, timeoutMs }: AnsweringHere,
): Route[] {
  return [
    route(llmProxy.execute, {
      auth: user('agents.query'),
      timeoutMs,
      problems: ['not_found', 'unprocessable', 'upstream_failed', 'unavailable', 'timeout', 'loop_detected'],
      describes: { schemes: SDK_SCHEMES.headers, requestHeaders: KEY_HEADER },
      handle: (input) => vendors.withKeyOf(input.req.headers, () => execute(input, operations, localCalls)),
    }),
  ]
}

type Input = RouteInput<unknown, unknown, llmProxy.ExecuteRequest, UserPrincipal>

/** Each is one call of the user, whatever it takes: by the model that does most of the work. */
async function execute(
  input: Input,
  { indexing, answering, summarizing, embedding }: Operations,
  calls: LocalCalls,
) {
  const { body: request, log, signal } = input
  const { models, tokenizer } = embedding
  const callOf = (kind: Model['kind'], model: string | undefined, texts: readonly string[]): LocalCall => ({
    ...input,
    answerer: models.resolve(model, kind),
    operation: kind === 'chat' ? 'chat' : 'embeddings',
    texts,
  })
  switch (request.operation) {
    case 'index': {
      const { document, model } = request.input
      return calls.metered(callOf('embedding', model, [document.text]), async (used) => {
        const output = await indexing.index(request.input, log, signal)
        used({ input_tokens: output.tokens, output_tokens: 0 })
        return output
      })
    }
    case 'answer': {
      const { question, model } = request.input
      return calls.metered(callOf('chat', model, [question]), async (used) => {
        const output = await answerFromMemory(request.input, answering, signal)
        const read = [question, ...output.passages.map(({ text }) => text)].join('\n')
        used({
          input_tokens: await tokenizer.count(read, DEFAULT_ENCODING, signal),
          output_tokens: await tokenizer.count(output.answer ?? '', DEFAULT_ENCODING, signal),
        })
        return output
      })
    }
    case 'summarize':
      return calls.metered(callOf('chat', request.input.model, [request.input.text]), async (used) => {
        const output = await summarizeText(request.input, summarizing, signal)
        used(output.usage)
        return output
      })
    case 'embed':
      return calls.metered(callOf('embedding', request.input.model, request.input.texts), async (used) => {
        const { vectors, model, tokens } = await embedTexts(request.input, embedding, signal)
        used({ input_tokens: tokens, output_tokens: 0 })
        return { embeddings: vectors, dimensions: vectors[0]?.length ?? 0, model, tokens }
      })
    case 'tokenize':
      return calls.counted(input.principal, () => countTokens(request.input, tokenizer, signal))
  }
}
