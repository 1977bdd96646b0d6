import { user } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Models } from '../models.ts'
import { openAiError } from './openai-error.ts'

/** `GET /v1/models` as OpenAI's API reference describes it. */
export function modelsRoutes(models: Models): Route[] {
  return [
    route(llmProxy.models, {
      auth: user('agents.query'),
      renderProblem: openAiError,
      handle: () => ({
        object: 'list' as const,
        data: models.list().map(({ id, created, provider }) => ({
          id,
          object: 'model' as const,
          created,
          owned_by: provider,
        })),
      }),
    }),
  ]
}
